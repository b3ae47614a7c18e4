/* Registers of the STM32N657 that the HAL touches, by their Secure addresses. Sources: compiled
 * structures of the vendor's CMSIS header (hal_stm32) and stm32-data, which agree; the clock's values
 * and order from STM32CubeN6's templates and Zephyr. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

#define RCC_SR NB_REGISTER(0x56028004u)
#define RCC_SR_HSIRDY (1u << 3)
#define RCC_SR_PLL1RDY (1u << 8)
#define RCC_CFGR1 NB_REGISTER(0x56028020u)
#define RCC_CFGR1_CPUSW (3u << 16) /* 0 = HSI, 3 = IC1 */
#define RCC_CFGR1_CPUSWS (3u << 20)
#define RCC_CFGR1_SYSSW (3u << 24) /* 0 = HSI, 3 = IC2, IC6 and IC11 */
#define RCC_CFGR1_SYSSWS (3u << 28)
#define RCC_CFGR2 NB_REGISTER(0x56028024u)
#define RCC_CFGR2_HPRE_2 (1u << 20) /* every PPRE at 1 */
#define RCC_PLL1CFGR1 NB_REGISTER(0x56028080u)
#define RCC_PLL1CFGR1_HSI_4_75 ((4u << 20) | (75u << 8)) /* 64 MHz to 1,200 MHz */
#define RCC_PLL1CFGR2 NB_REGISTER(0x56028084u)
#define RCC_PLL1CFGR3 NB_REGISTER(0x56028088u)
#define RCC_PLL1CFGR3_1_1 ((1u << 30) | (1u << 27) | (1u << 24) | (1u << 2) | (1u << 0))
#define RCC_IC1CFGR NB_REGISTER(0x560280C4u)
#define RCC_IC2CFGR NB_REGISTER(0x560280C8u)
#define RCC_IC6CFGR NB_REGISTER(0x560280D8u)
#define RCC_IC11CFGR NB_REGISTER(0x560280ECu)
#define RCC_IC_PLL1(divider) (((divider) - 1u) << 16)
#define RCC_CCIPR13 NB_REGISTER(0x56028174u)
#define RCC_CCIPR13_USART1 7u
#define RCC_CCIPR13_USART1_HSI 6u
#define RCC_CSR NB_REGISTER(0x56028800u) /* sets bits of RCC_CR */
#define RCC_CR_HSION (1u << 3)
#define RCC_CR_PLL1ON (1u << 8)
#define RCC_DIVENSR NB_REGISTER(0x56028A40u)
#define RCC_DIVEN_IC1_IC2_IC6_IC11 ((1u << 0) | (1u << 1) | (1u << 5) | (1u << 10))
#define RCC_AHB4ENSR NB_REGISTER(0x56028A5Cu)
#define RCC_AHB4EN_GPIOE (1u << 4)
#define RCC_AHB4EN_PWR (1u << 18)
#define RCC_APB2ENSR NB_REGISTER(0x56028A6Cu)
#define RCC_APB2EN_USART1 (1u << 4)
#define RCC_CCR NB_REGISTER(0x56029000u) /* clears bits of RCC_CR */

#define PWR_CR1 NB_REGISTER(0x56024800u)
#define PWR_CR1_SDEN (1u << 2)
#define PWR_VOSCR NB_REGISTER(0x56024820u)
#define PWR_VOSCR_ACTVOSRDY (1u << 17)

#define GPIOE 0x56021000u
#define GPIO_MODER(port) NB_REGISTER((port) + 0x00u)
#define GPIO_OSPEEDR(port) NB_REGISTER((port) + 0x08u)
#define GPIO_BSRR(port) NB_REGISTER((port) + 0x18u)
#define GPIO_AFRL(port) NB_REGISTER((port) + 0x20u)

#define ST_USART_BASE 0x52001000u /* USART1 */
#define ST_USART_HZ 64000000u

#endif
