/* registers.h (psoc6): what the HAL touches of the CY8C624A (PSoC 62, 2 MB). Sources: Infineon's
 * peripheral driver library, category 1 (register headers of psoc6_02, clock and wait state
 * drivers), Zephyr's board files (console pins); the values of PLL, dividers and wait states are
 * also those that published images write. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

/* peripheral clocks: all from clk_peri */
#define PERI_DIV_CMD NB_REGISTER(0x40000400u)
#define DIV_CMD_PHASE_NONE 0x03FF0000u /* not aligned to another divider */
#define DIV_CMD_TYPE_16 (1u << 8)
#define DIV_CMD_DISABLE (1u << 30)
#define DIV_CMD_ENABLE (1u << 31)
#define PERI_CLOCK_SCB5 NB_REGISTER(0x40000C14u)
#define CLOCK_TYPE_16 (1u << 8) /* divider 0 of 16 bits */
#define PERI_DIV16_0 NB_REGISTER(0x40001400u)

/* processors, their clocks, RAM and ROM */
#define CM0_CLOCK_CTL NB_REGISTER(0x40201008u)
#define CM0_CLOCK_PERI_BY_2 (1u << 24)
#define CM4_CLOCK_CTL NB_REGISTER(0x40200008u)
#define RAM0_CTL NB_REGISTER(0x40201300u)
#define RAM1_CTL NB_REGISTER(0x40201380u)
#define RAM2_CTL NB_REGISTER(0x402013A0u)
#define ROM_CTL NB_REGISTER(0x402013C4u)
#define SLOW_WS 3u /* of the slow clock's masters; the Cortex-M4 is on the fast one */
#define FAST_WS (3u << 8)

#define FLASH_CTL NB_REGISTER(0x40240000u)
#define FLASH_CTL_WS 15u

/* system resources */
#define CLK_PATH_SELECT1 NB_REGISTER(0x40260344u) /* 0: IMO, 8 MHz */
#define CLK_ROOT_SELECT0 NB_REGISTER(0x40260380u)
#define CLK_ROOT_MUX 15u
#define CLK_ROOT_DIV (3u << 4)
#define CLK_PLL_CONFIG0 NB_REGISTER(0x40260600u)
#define PLL_75_2_2 0x0002024Bu /* times 75, by 2, by 2; its output as soon as it is locked */
#define PLL_ENABLE (1u << 31)
#define CLK_PLL_STATUS0 NB_REGISTER(0x40260640u)
#define PLL_LOCKED (1u << 0)

#define HSIOM_PORT(port) NB_REGISTER(0x40300000u + 0x10u * (port))
#define GPIO 0x40310000u
#define GPIO_OUT_CLR(port) NB_REGISTER(GPIO + 0x80u * (port) + 0x04u)
#define GPIO_OUT_SET(port) NB_REGISTER(GPIO + 0x80u * (port) + 0x08u)
#define GPIO_CFG(port) NB_REGISTER(GPIO + 0x80u * (port) + 0x44u)

/* SCB5 as UART */
#define SCB 0x40650000u
#define SCB_CTRL NB_REGISTER(SCB + 0x000u)
#define SCB_CTRL_UART_BYTES (2u << 24 | 1u << 11)
#define SCB_CTRL_ENABLED (1u << 31)
#define SCB_UART_CTRL NB_REGISTER(SCB + 0x040u)
#define SCB_UART_TX_CTRL NB_REGISTER(SCB + 0x044u)
#define SCB_UART_RX_CTRL NB_REGISTER(SCB + 0x048u)
#define UART_ONE_STOP_BIT 1u
#define UART_BREAK_10 (10u << 16)
#define SCB_UART_FLOW_CTRL NB_REGISTER(SCB + 0x050u)
#define SCB_TX_CTRL NB_REGISTER(SCB + 0x200u)
#define SCB_TX_FIFO_CTRL NB_REGISTER(SCB + 0x204u)
#define SCB_TX_FIFO_STATUS NB_REGISTER(SCB + 0x208u)
#define TX_FIFO_USED 0x1FFu
#define TX_SHIFTING (1u << 15)
#define SCB_TX_FIFO_WR NB_REGISTER(SCB + 0x240u)
#define SCB_RX_CTRL NB_REGISTER(SCB + 0x300u)
#define SCB_RX_FIFO_CTRL NB_REGISTER(SCB + 0x304u)
#define SCB_RX_FIFO_STATUS NB_REGISTER(SCB + 0x308u)
#define RX_FIFO_USED 0x1FFu
#define SCB_RX_FIFO_RD NB_REGISTER(SCB + 0x340u)
#define SCB_EIGHT_BITS 7u /* the lowest first */
#define SCB_FIFO_CLEAR (1u << 16)

#endif
