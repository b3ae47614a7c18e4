/* Registers of the Kendryte K210 that the HAL touches. Sources: headers and drivers of
 * kendryte-standalone-sdk; Linux's clk-k210.c, pinctrl-k210.c and k210.dtsi, which agree with them
 * on every offset and bit here. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

/* Core-local interruptor: SiFive's layout, its time counts core cycles / 50. */
#define CLINT_MTIMECMP (*(volatile uint64_t *)0x02004000u)
#define CLINT_MTIME (*(volatile uint64_t *)0x0200BFF8u)
#define CLINT_DIVIDER 50u

#define UARTHS_TXDATA NB_REGISTER(0x38000000u)
#define UARTHS_TXDATA_FULL (1u << 31)
#define UARTHS_RXDATA NB_REGISTER(0x38000004u)
#define UARTHS_RXDATA_EMPTY (1u << 31)
#define UARTHS_TXCTRL NB_REGISTER(0x38000008u)
#define UARTHS_TXCTRL_ON_1_LEFT ((1u << 16) | 1u) /* TXWM: fewer than 1 byte waits */
#define UARTHS_RXCTRL NB_REGISTER(0x3800000Cu)
#define UARTHS_RXCTRL_ON 1u
#define UARTHS_IE NB_REGISTER(0x38000010u)
#define UARTHS_IP NB_REGISTER(0x38000014u)
#define UARTHS_IP_TXWM 1u
#define UARTHS_DIV NB_REGISTER(0x38000018u)

#define GPIOHS_OUTPUT_EN NB_REGISTER(0x38001008u)
#define GPIOHS_OUTPUT_VAL NB_REGISTER(0x3800100Cu)

#define FPIOA_IO(io) NB_REGISTER(0x502B0000u + 4u * (io))
#define FPIOA_OUTPUT 0x1F00u  /* strongest drive, output enable */
#define FPIOA_INPUT 0x900000u /* input enable, Schmitt trigger */
#define FUNCTION_UARTHS_RX 18u
#define FUNCTION_UARTHS_TX 19u
#define FUNCTION_GPIOHS0 24u

#define SYSCTL_PLL0 NB_REGISTER(0x50440008u)
#define PLL_FACTORS 0xFFFFFu
#define PLL_780_MHZ ((59u << 4) | (1u << 10) | (59u << 14)) /* 26 MHz * 60 / 2; bandwidth */
#define PLL_RESET (1u << 20)
#define PLL_POWER (1u << 21)
#define PLL_BYPASS (1u << 23)
#define PLL_OUT (1u << 25)
#define SYSCTL_PLL_LOCK NB_REGISTER(0x50440018u)
#define PLL0_LOCKED 3u
#define PLL0_CLEAR_SLIP (1u << 2)
#define SYSCTL_CLK_SEL0 NB_REGISTER(0x50440020u)
#define CLK_SEL0_ACLK_PLL0 (1u << 0)
#define CLK_SEL0_ACLK_DIVIDER (3u << 1) /* 0: half of PLL0 */
#define SYSCTL_CLK_EN_CENT NB_REGISTER(0x50440028u)
#define CLK_EN_CENT_APB0 (1u << 3)
#define SYSCTL_CLK_EN_PERI NB_REGISTER(0x5044002Cu)
#define CLK_EN_PERI_FPIOA (1u << 20)
#define SYSCTL_SOFT_RESET NB_REGISTER(0x50440030u)
#define SYSCTL_SOFT_RESET_NOW 1u

#endif
