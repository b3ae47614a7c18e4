/* Registers of the Alif Ensemble E7 that the HAL touches. Sources: SVD and device headers of
 * alif_ensemble-cmsis-dfp (one vendor's, so that what agrees there is free of typing errors and no
 * more), Zephyr's device tree for the DesignWare UART. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

/* Always-on domain */
#define AON_RTSS_HP_CTRL NB_REGISTER(0x1A604000u)
#define RTSS_CTRL_WIC (1u << 8)
#define AON_HP_WARM_RESET NB_REGISTER(0x1A600024u)
#define CGU_PLL_LOCK_CTRL NB_REGISTER(0x1A602004u)
#define PLL_LOCK (1u << 0)
#define CGU_CLK_ENA NB_REGISTER(0x1A602014u)
#define CLK_ENA_HFOSC_38M4 (1u << 23)

/* Pins: mux in bits 2 to 0, pad in bits 23 to 16 */
#define PIN(port, pin) NB_REGISTER(0x1A603000u + 32u * (port) + 4u * (pin))
#define PIN_INPUT (1u << 16)
#define PIN_PULL_UP (1u << 19)
#define PIN_4_MA (1u << 21)

/* Peripheral clocks */
#define EXPMST0_CTRL NB_REGISTER(0x4902F000u)
#define EXPMST0_FORCE_CLOCKS (3u << 30)
#define UART_CLK_CTRL NB_REGISTER(0x4902F008u)
#define UART_CLK_ENABLE(uart) (1u << (uart))
#define UART_CLK_PCLK(uart) (1u << (8u + (uart))) /* 0 = the 38.4 MHz oscillator */

/* GPIO (DesignWare): no set and clear registers, so that a port belongs to one owner */
#define GPIO4_DR NB_REGISTER(0x49004000u)
#define GPIO4_DDR NB_REGISTER(0x49004004u)

/* UART4 (DesignWare 16550) */
#define DW_UART_BASE 0x4901C000u

/* Local watchdog */
#define WDT_CONTROL NB_REGISTER(0x40100008u)
#define WDT_LOCK NB_REGISTER(0x40100C00u)
#define WDT_KEY 0x1ACCE551u

#endif
