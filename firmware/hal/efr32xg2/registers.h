/* registers.h (efr32xg2): what the HAL touches of the EFR32MG24. Sources: Silicon Labs' device
 * headers of the EFR32MG24 (addresses, offsets, bits), em_cmu.c (order of locking the DPLL, place of
 * the calibration), Zephyr's files of the board (DPLL values, pins). The addresses are those that a
 * core in the Secure state, as after reset, uses. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

#define CMU_CLKEN0 NB_REGISTER(0x40008064u)
#define CMU_CLKEN0_USART0 (1u << 9)
#define CMU_CLKEN0_DPLL0 (1u << 17)
#define CMU_CLKEN0_HFRCO0 (1u << 18)
#define CMU_CLKEN0_HFXO0 (1u << 20)
#define CMU_CLKEN0_GPIO (1u << 26)
#define CMU_SYSCLKCTRL NB_REGISTER(0x40008070u)
#define CMU_SYSCLKCTRL_CLKSEL 7u
#define CMU_SYSCLKCTRL_HFRCODPLL 2u
#define CMU_SYSCLKCTRL_PCLK_DIV2 (1u << 10)
#define CMU_DPLLREFCLKCTRL NB_REGISTER(0x40008100u)
#define CMU_DPLLREFCLKCTRL_HFXO 1u

#define HFRCO_CAL NB_REGISTER(0x40010008u)
#define HFRCO_STATUS NB_REGISTER(0x4001000Cu)
#define HFRCO_STATUS_BUSY 6u /* FREQBSY, SYNCBUSY */

#define DPLL_EN NB_REGISTER(0x4001C004u)
#define DPLL_EN_EN (1u << 0)
#define DPLL_EN_DISABLING (1u << 1)
#define DPLL_CFG NB_REGISTER(0x4001C008u)
#define DPLL_CFG_PLL (1u << 0)
#define DPLL_CFG_AUTORECOVER (1u << 2)
#define DPLL_CFG1 NB_REGISTER(0x4001C00Cu)
#define DPLL_CFG1_3840_1920 ((3839u << 16) | 1919u)
#define DPLL_IF NB_REGISTER(0x4001C010u)
#define DPLL_IF_LOCK (1u << 0)

#define HFXO_CTRL NB_REGISTER(0x4A004028u)
#define HFXO_CTRL_FORCEEN (1u << 16)
#define HFXO_STATUS NB_REGISTER(0x4A004058u)
#define HFXO_STATUS_RDY (1u << 0)

/* The part's own calibration of HFRCODPLL for its band of 80 MHz. */
#define DEVINFO_HFRCODPLLCAL_80M NB_REGISTER(0x0FE08098u)

#define GPIO_PORTA_MODEL NB_REGISTER(0x4003C034u)
#define GPIO_PORTA_DOUT NB_REGISTER(0x4003C040u)
#define GPIO_USART0_ROUTEEN NB_REGISTER(0x4003C720u)
#define GPIO_USART_RXPEN (1u << 2)
#define GPIO_USART_TXPEN (1u << 4)
#define GPIO_USART0_RXROUTE NB_REGISTER(0x4003C730u)
#define GPIO_USART0_TXROUTE NB_REGISTER(0x4003C738u)
#define GPIO_ROUTE(port, pin) (((pin) << 16) | (port))
#define GPIO_INPUT 1u
#define GPIO_PUSH_PULL 4u

#define USART_EN NB_REGISTER(0x4005C004u)
#define USART_CTRL NB_REGISTER(0x4005C008u)
#define USART_FRAME NB_REGISTER(0x4005C00Cu)
#define USART_FRAME_8N1 0x1005u
#define USART_CMD NB_REGISTER(0x4005C014u)
#define USART_CMD_ON ((1u << 0) | (1u << 2)) /* RXEN, TXEN */
#define USART_CMD_OFF ((1u << 1) | (1u << 3)) /* RXDIS, TXDIS */
#define USART_CMD_CLEAR ((1u << 10) | (1u << 11)) /* CLEARTX, CLEARRX */
#define USART_STATUS NB_REGISTER(0x4005C018u)
#define USART_STATUS_TXBL (1u << 6)
#define USART_STATUS_RXDATAV (1u << 7)
#define USART_STATUS_TXIDLE (1u << 13)
#define USART_CLKDIV NB_REGISTER(0x4005C01Cu)
#define USART_CLKDIV_DIV 0x7FFFF8u
#define USART_RXDATA NB_REGISTER(0x4005C024u)
#define USART_TXDATA NB_REGISTER(0x4005C03Cu)

#endif
