/* registers.h (stm32u5): what the HAL touches of the STM32U575. Sources: RM0456 (registers, voltage
 * and wait states for 160 MHz), Zephyr's board files (clock values, pins); the values of PLL1 are
 * also those that published images of two vendors write. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

#define RCC_CR NB_REGISTER(0x46020C00u)
#define RCC_CR_MSIPLLEN (1u << 3)
#define RCC_CR_PLL1ON (1u << 24)
#define RCC_CR_PLL1RDY (1u << 25)
#define RCC_CFGR1 NB_REGISTER(0x46020C1Cu)
#define RCC_CFGR1_SW_PLL 3u
#define RCC_CFGR1_SWS (3u << 2)
#define RCC_PLL1CFGR NB_REGISTER(0x46020C28u)
#define RCC_PLL1CFGR_MSIS_R ((1u << 18) | 1u) /* MSIS / 1, booster / 1, output R on */
#define RCC_PLL1DIVR NB_REGISTER(0x46020C34u)
#define RCC_PLL1DIVR_80_2 0x0101024Fu /* N = 80; P, Q, R = 2: 4 MHz to 320 MHz to 160 MHz */
#define RCC_AHB2ENR1 NB_REGISTER(0x46020C8Cu)
#define RCC_AHB2ENR1_GPIOA (1u << 0)
#define RCC_AHB2ENR1_GPIOF (1u << 5)
#define RCC_AHB3ENR NB_REGISTER(0x46020C94u)
#define RCC_AHB3ENR_PWR (1u << 2)
#define RCC_APB2ENR NB_REGISTER(0x46020CA4u)
#define RCC_APB2ENR_USART1 (1u << 14)
#define RCC_CCIPR1 NB_REGISTER(0x46020CE0u)
#define RCC_CCIPR1_USART1 3u /* 0 = PCLK2 */
#define RCC_BDCR NB_REGISTER(0x46020CF0u)
#define RCC_BDCR_LSEON (1u << 0)
#define RCC_BDCR_LSERDY (1u << 1)
#define RCC_BDCR_LSEDRV (3u << 3)
#define RCC_BDCR_LSEDRV_STEP (1u << 3)
#define RCC_BDCR_LSESYSEN (1u << 7)
#define RCC_BDCR_LSESYSRDY (1u << 11)

#define PWR_CR3 NB_REGISTER(0x46020808u)
#define PWR_CR3_REGSEL (1u << 1)
#define PWR_VOSR NB_REGISTER(0x4602080Cu)
#define PWR_VOSR_BOOSTRDY (1u << 14)
#define PWR_VOSR_VOSRDY (1u << 15)
#define PWR_VOSR_VOS_1 (3u << 16)
#define PWR_VOSR_BOOSTEN (1u << 18)
#define PWR_DBPR NB_REGISTER(0x46020828u)
#define PWR_DBPR_DBP (1u << 0)
#define PWR_SVMSR NB_REGISTER(0x4602083Cu)
#define PWR_SVMSR_REGS (1u << 1)

#define FLASH_ACR NB_REGISTER(0x40022000u)
#define FLASH_ACR_LATENCY 0xFu
#define FLASH_ACR_PRFTEN (1u << 8)
#define ICACHE_CR NB_REGISTER(0x40030400u)
#define ICACHE_CR_EN (1u << 0)
#define ICACHE_SR NB_REGISTER(0x40030404u)
#define ICACHE_SR_BUSYF (1u << 0)

#define GPIOA 0x42020000u
#define GPIOF 0x42021400u
#define GPIO_MODER(port) NB_REGISTER((port) + 0x00u)
#define GPIO_OSPEEDR(port) NB_REGISTER((port) + 0x08u)
#define GPIO_BSRR(port) NB_REGISTER((port) + 0x18u)
#define GPIO_AFRH(port) NB_REGISTER((port) + 0x24u)

#define ST_USART_BASE 0x40013800u /* USART1 */
#define ST_USART_HZ NB_CPU_HZ

#endif
