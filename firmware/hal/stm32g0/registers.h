/* registers.h (stm32g0): what the HAL touches of the STM32G0B1. Sources: RM0444 (registers, wait
 * states for 64 MHz), Zephyr's board files (clock values, pins); the values of the PLL are also those
 * that published images write. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

#define RCC_CR NB_REGISTER(0x40021000u)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR NB_REGISTER(0x40021008u)
#define RCC_CFGR_SW 7u
#define RCC_CFGR_SW_PLL 2u
#define RCC_CFGR_SWS (7u << 3)
#define RCC_CFGR_SWS_PLL (2u << 3)
#define RCC_PLLCFGR NB_REGISTER(0x4002100Cu)
#define RCC_PLLCFGR_HSI_1_8_2 0x30000802u /* HSI / 1 * 8 / 2, output R on */
#define RCC_IOPENR NB_REGISTER(0x40021034u)
#define RCC_IOPENR_GPIOA (1u << 0)
#define RCC_IOPENR_GPIOB (1u << 1)
#define RCC_APBENR1 NB_REGISTER(0x4002103Cu)
#define RCC_APBENR1_TIM2 (1u << 0)
#define RCC_APBENR1_USART2 (1u << 17)
#define RCC_CCIPR NB_REGISTER(0x40021054u)
#define RCC_CCIPR_USART2 (3u << 2) /* 0 = PCLK */

#define FLASH_ACR NB_REGISTER(0x40022000u)
#define FLASH_ACR_LATENCY 7u
#define FLASH_ACR_PRFTEN (1u << 8)
#define FLASH_ACR_ICEN (1u << 9)

#define TIM2_CR1 NB_REGISTER(0x40000000u)
#define TIM2_CR1_CEN (1u << 0)
#define TIM2_ARR NB_REGISTER(0x4000002Cu)

#define GPIOA 0x50000000u
#define GPIOB 0x50000400u
#define GPIO_MODER(port) NB_REGISTER((port) + 0x00u)
#define GPIO_OSPEEDR(port) NB_REGISTER((port) + 0x08u)
#define GPIO_BSRR(port) NB_REGISTER((port) + 0x18u)
#define GPIO_AFRL(port) NB_REGISTER((port) + 0x20u)

#define SYST_CSR NB_REGISTER(0xE000E010u)
#define SYST_CSR_CORE_CLOCK_INTERRUPT_ENABLE 7u
#define SYST_RVR NB_REGISTER(0xE000E014u)
#define SYST_CVR NB_REGISTER(0xE000E018u)
#define SYSTICK_COUNTS 0x1000000u
#define SCB_ICSR NB_REGISTER(0xE000ED04u)
#define SCB_ICSR_PENDSTCLR (1u << 25)

#define ST_USART_BASE 0x40004400u /* USART2 */
#define ST_USART_HZ NB_CPU_HZ

#endif
