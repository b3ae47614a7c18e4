/* Registers of the STM32H7A3 that the HAL touches. Sources: the compiled structures of the vendor's
 * CMSIS header, stm32-data and cmsis-svd (three that agree; the offsets in the header's comments are
 * wrong for the enable registers); values of the clock from Zephyr's and stm32duino's board files. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

#define RCC_CR NB_REGISTER(0x58024400u)
#define RCC_CR_HSION (1u << 0)
#define RCC_CR_HSIRDY (1u << 2)
#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_HSEBYP (1u << 18)
#define RCC_CR_PLL1ON (1u << 24)
#define RCC_CR_PLL1RDY (1u << 25)
#define RCC_CFGR NB_REGISTER(0x58024410u)
#define RCC_CFGR_SW 7u
#define RCC_CFGR_SW_HSI 0u
#define RCC_CFGR_SW_PLL1 3u
#define RCC_CFGR_SWS (7u << 3)
#define RCC_CFGR_SWS_PLL1 (3u << 3)
#define RCC_CDCFGR1 NB_REGISTER(0x58024418u)
#define RCC_CDCFGR1_CDPPRE_2 (4u << 4) /* CDCPRE and HPRE at 1 */
#define RCC_CDCFGR2 NB_REGISTER(0x5802441Cu)
#define RCC_CDCFGR2_CDPPRE12_2 ((4u << 4) | (4u << 8))
#define RCC_SRDCFGR NB_REGISTER(0x58024420u)
#define RCC_SRDCFGR_SRDPPRE_2 (4u << 4)
#define RCC_PLLCKSELR NB_REGISTER(0x58024428u)
#define RCC_PLLCKSELR_HSE_1 ((1u << 4) | 2u)
#define RCC_PLLCKSELR_HSI_8 ((8u << 4) | 0u)
#define RCC_PLLCFGR NB_REGISTER(0x5802442Cu)
#define RCC_PLLCFGR_8_TO_16_MHZ_P ((1u << 16) | (3u << 2)) /* wide VCO, no fraction, output P on */
#define RCC_PLL1DIVR NB_REGISTER(0x58024430u)
#define RCC_PLL1DIVR_70_2 0x01030245u /* N = 70, P = 2, Q = 4, R = 2: 8 MHz to 560 MHz to 280 MHz */
#define RCC_CDCCIP2R NB_REGISTER(0x58024454u)
#define RCC_CDCCIP2R_USART234578 7u /* 0 = PCLK1 */
#define RCC_AHB4ENR NB_REGISTER(0x58024540u)
#define RCC_AHB4ENR_GPIOD (1u << 3)
#define RCC_AHB4ENR_GPIOE (1u << 4)
#define RCC_APB1LENR NB_REGISTER(0x58024548u)
#define RCC_APB1LENR_USART3 (1u << 18)

#define PWR_CSR1 NB_REGISTER(0x58024804u)
#define PWR_CSR1_ACTVOSRDY (1u << 13)
#define PWR_CR3 NB_REGISTER(0x5802480Cu)
#define PWR_CR3_BYPASS (1u << 0)
#define PWR_CR3_LDOEN (1u << 1)
#define PWR_CR3_SMPSEN (1u << 2)
#define PWR_SRDCR NB_REGISTER(0x58024818u)
#define PWR_SRDCR_VOSRDY (1u << 13)
#define PWR_SRDCR_VOS0 (3u << 14)

#define FLASH_ACR NB_REGISTER(0x52002000u)
#define FLASH_ACR_280_MHZ 0x36u /* LATENCY 6, WRHIGHFREQ 3 */

#define GPIOD 0x58020C00u
#define GPIOE 0x58021000u
#define GPIO_MODER(port) NB_REGISTER((port) + 0x00u)
#define GPIO_OSPEEDR(port) NB_REGISTER((port) + 0x08u)
#define GPIO_BSRR(port) NB_REGISTER((port) + 0x18u)
#define GPIO_AFRH(port) NB_REGISTER((port) + 0x24u)

#define ST_USART_BASE 0x40004800u /* USART3 */
#define ST_USART_HZ (NB_CPU_HZ / 2u)

#endif
