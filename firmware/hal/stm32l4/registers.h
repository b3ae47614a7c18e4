/* registers.h (stm32l4): what the HAL touches of the STM32L4R5. Sources: CMSIS device header and
 * LL/HAL drivers of the STM32L4 series, cmsis-svd STM32L4R5; CMSIS core_cm4.h for the core. Where
 * only one of them was at hand the line says (one source). */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define RCC_CR REGISTER(0x40021000u)
#define RCC_CR_MSIPLLEN (1u << 2)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR REGISTER(0x40021008u)
#define RCC_CFGR_SW_PLL 3u
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_HPRE_2 (8u << 4)
#define RCC_PLLCFGR REGISTER(0x4002100Cu)
#define RCC_PLLCFGR_MSI_1_60_2 0x01003C01u /* MSI / 1 * 60 / 2, output R on */
#define RCC_AHB2ENR REGISTER(0x4002104Cu)
#define RCC_AHB2ENR_GPIOF (1u << 5)
#define RCC_AHB2ENR_GPIOG (1u << 6)
#define RCC_APB1ENR1 REGISTER(0x40021058u)
#define RCC_APB1ENR1_PWR (1u << 28)
#define RCC_APB1ENR2 REGISTER(0x4002105Cu)
#define RCC_APB1ENR2_LPUART1 (1u << 0)
#define RCC_CCIPR REGISTER(0x40021088u)
#define RCC_CCIPR_LPUART1 (3u << 10)
#define RCC_CCIPR_LPUART1_SYSCLK (1u << 10)
#define RCC_BDCR REGISTER(0x40021090u)
#define RCC_BDCR_LSEON (1u << 0)
#define RCC_BDCR_LSERDY (1u << 1)
#define RCC_BDCR_LSEDRV (3u << 3)

#define FLASH_ACR REGISTER(0x40022000u)
#define FLASH_ACR_LATENCY 0xFu
#define FLASH_ACR_ICEN (1u << 9)
#define FLASH_ACR_DCEN (1u << 10)

#define PWR_CR1 REGISTER(0x40007000u)
#define PWR_CR1_DBP (1u << 8)
#define PWR_CR2 REGISTER(0x40007004u)
#define PWR_CR2_IOSV (1u << 9)
#define PWR_CR5 REGISTER(0x40007080u)
#define PWR_CR5_R1MODE (1u << 8)

#define GPIOF 0x48001400u
#define GPIOG 0x48001800u
#define GPIO_MODER(port) REGISTER((port) + 0x00u)
#define GPIO_OSPEEDR(port) REGISTER((port) + 0x08u)
#define GPIO_BSRR(port) REGISTER((port) + 0x18u)
#define GPIO_AFRL(port) REGISTER((port) + 0x20u)
#define GPIO_AFRH(port) REGISTER((port) + 0x24u)

#define LPUART_PRESC_4 2u

#define ST_USART_BASE 0x40008000u /* LPUART1 */

#endif
