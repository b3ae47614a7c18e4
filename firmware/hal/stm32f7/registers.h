/* registers.h (stm32f7): what the HAL touches of the STM32F746. Sources: RM0385 (registers, over-drive
 * and wait states for 216 MHz), Zephyr's board files (clock values, pins); the values of the PLL are
 * also those that published images write. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

#define RCC_CR NB_REGISTER(0x40023800u)
#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_PLLCFGR NB_REGISTER(0x40023804u)
#define RCC_PLLCFGR_HSE_25_432_2 0x29406C19u /* HSE / 25 * 432 / 2, Q = 9 */
#define RCC_PLLCFGR_HSI_16_432_2 0x29006C10u /* HSI / 16 * 432 / 2, Q = 9 */
#define RCC_CFGR NB_REGISTER(0x40023808u)
#define RCC_CFGR_SW_PLL 2u
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_CFGR_PPRE1_4 (5u << 10)
#define RCC_CFGR_PPRE2_2 (4u << 13)
#define RCC_AHB1ENR NB_REGISTER(0x40023830u)
#define RCC_AHB1ENR_GPIOA (1u << 0)
#define RCC_AHB1ENR_GPIOB (1u << 1)
#define RCC_AHB1ENR_GPIOG (1u << 6)
#define RCC_AHB1ENR_GPIOI (1u << 8)
#define RCC_APB1ENR NB_REGISTER(0x40023840u)
#define RCC_APB1ENR_PWR (1u << 28)
#define RCC_APB2ENR NB_REGISTER(0x40023844u)
#define RCC_APB2ENR_USART1 (1u << 4)
#define RCC_DCKCFGR2 NB_REGISTER(0x40023890u)
#define RCC_DCKCFGR2_USART1 3u /* 0 = PCLK2 */

#define PWR_CR1 NB_REGISTER(0x40007000u)
#define PWR_CR1_VOS_1 (3u << 14)
#define PWR_CR1_ODEN (1u << 16)
#define PWR_CR1_ODSWEN (1u << 17)
#define PWR_CSR1 NB_REGISTER(0x40007004u)
#define PWR_CSR1_ODRDY (1u << 16)
#define PWR_CSR1_ODSWRDY (1u << 17)

#define FLASH_ACR NB_REGISTER(0x40023C00u)
#define FLASH_ACR_LATENCY 0xFu
#define FLASH_ACR_PRFTEN (1u << 8)
#define FLASH_ACR_ARTEN (1u << 9)

#define GPIOA 0x40020000u
#define GPIOB 0x40020400u
#define GPIOG 0x40021800u
#define GPIOI 0x40022000u
#define GPIO_MODER(port) NB_REGISTER((port) + 0x00u)
#define GPIO_OSPEEDR(port) NB_REGISTER((port) + 0x08u)
#define GPIO_BSRR(port) NB_REGISTER((port) + 0x18u)
#define GPIO_AFRL(port) NB_REGISTER((port) + 0x20u)
#define GPIO_AFRH(port) NB_REGISTER((port) + 0x24u)

#define ST_USART_BASE 0x40011000u /* USART1; no FIFO: its bit reads 0 and takes nothing */
#define ST_USART_HZ (NB_CPU_HZ / 2u)

#endif
