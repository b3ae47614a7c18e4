/* Registers of the MAX78000 and MAX78002 that the HAL touches. Source: hal_adi's CMSIS headers and
 * SVD of both parts, which agree; the order of operations is that of its peripheral drivers and,
 * for clock and UART, of the independent Rust HAL max78000-hal. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

/* Global control */
#define GCR_CLKCTRL NB_REGISTER(0x40000008u)
#define CLKCTRL_DIV (7u << 6)
#define CLKCTRL_SEL (7u << 9)
#define CLKCTRL_SEL_IPO (4u << 9)
#define CLKCTRL_RDY (1u << 13)
#define CLKCTRL_IPO_EN (1u << 19)
#define CLKCTRL_IBRO_EN (1u << 20)
#define CLKCTRL_IPO_RDY (1u << 27)
#define CLKCTRL_IBRO_RDY (1u << 28)
#define GCR_PCLKDIS0 NB_REGISTER(0x40000024u) /* 1 = clock off */
#define PCLKDIS0_GPIO0 (1u << 0)
#define PCLKDIS0_GPIO1 (1u << 1)
#define PCLKDIS0_UART0 (1u << 9)
#define LPGCR_PCLKDIS NB_REGISTER(0x4008000Cu)
#define LPGCR_PCLKDIS_GPIO2 (1u << 0)

#define GCR_PCLKDIS1 NB_REGISTER(0x40000048u)
#define PCLKDIS1_WDT0 (1u << 27)

#define WDT0_CTRL NB_REGISTER(0x40003000u)
#define WDT_CTRL_EN (1u << 8)

/* Instruction cache of the Cortex-M4 */
#define ICC0_CTRL NB_REGISTER(0x4002A100u)
#define ICC_CTRL_EN (1u << 0)
#define ICC_CTRL_RDY (1u << 16)
#define ICC0_INVALIDATE NB_REGISTER(0x4002A700u)

/* GPIO ports */
#define GPIO0 0x40008000u
#define GPIO1 0x40009000u
#define GPIO2 0x40080400u
#define GPIO_EN0_SET(port) NB_REGISTER((port) + 0x04u)
#define GPIO_EN0_CLR(port) NB_REGISTER((port) + 0x08u)
#define GPIO_OUTEN_SET(port) NB_REGISTER((port) + 0x10u)
#define GPIO_OUT_SET(port) NB_REGISTER((port) + 0x1Cu)
#define GPIO_OUT_CLR(port) NB_REGISTER((port) + 0x20u)
#define GPIO_INEN(port) NB_REGISTER((port) + 0x30u)
#define GPIO_PADCTRL0(port) NB_REGISTER((port) + 0x60u)
#define GPIO_PADCTRL1(port) NB_REGISTER((port) + 0x64u)
#define GPIO_EN1_CLR(port) NB_REGISTER((port) + 0x70u)
#define GPIO_EN2_CLR(port) NB_REGISTER((port) + 0x7Cu)
#define GPIO_VSSEL(port) NB_REGISTER((port) + 0xC0u) /* 1 = VDDIOH (3.3 V) */

/* UART0 */
#define UART_CTRL NB_REGISTER(0x40042000u)
#define UART_CTRL_TX_FLUSH (1u << 8)
#define UART_CTRL_RX_FLUSH (1u << 9)
#define UART_CTRL_8_BITS (3u << 10)
#define UART_CTRL_BCLKEN (1u << 15)
#define UART_CTRL_IBRO (2u << 16)
#define UART_CTRL_BCLKRDY (1u << 19)
#define UART_STATUS NB_REGISTER(0x40042004u)
#define UART_STATUS_TX_BUSY (1u << 0)
#define UART_STATUS_RX_EM (1u << 4)
#define UART_STATUS_TX_EM (1u << 6)
#define UART_STATUS_TX_FULL (1u << 7)
#define UART_CLKDIV NB_REGISTER(0x40042010u)
#define UART_OSR NB_REGISTER(0x40042014u)
#define UART_FIFO NB_REGISTER(0x40042020u)

#endif
