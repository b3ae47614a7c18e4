/* hal.c (stm32f7): STM32F746G-DISCO.
 *
 * Clock: HSE 25 MHz crystal / 25 * 432 / 2: 216 MHz with over-drive; when no crystal starts, HSI
 * 16 MHz instead, less exact. APB1 54 MHz, APB2 108 MHz.
 * Flash: 7 wait states by way of AXI at 0x08000000; I- and D-cache on. The ART serves the ITCM's
 * address of the flash alone, and is left on for it. DTCM is not cached, SRAM1 and SRAM2 are.
 * Console: USART1 on PA9 and PB7 from PCLK2; it has no FIFO.
 * Pins: PI2 timestamp, PI3, PG7 and PG6 stage code.
 * Idle: Sleep. The core stops; PLL, SRAM and USART go on. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"
#include "st_usart.h"

#define ROUNDS 4000000u
#define TIMESTAMP (1u << 2) /* port I */
#define CODE0 (1u << 3)     /* port I */
#define CODE1 (1u << 7)     /* port G */
#define CODE2 (1u << 6)     /* port G */

_Static_assert(NB_CPU_HZ == 216000000, "the clock that clock_init sets up");

/* Begins as reset leaves it: on HSI 16 MHz, PLL off. Over-drive is switched on while the PLL runs
 * and the core does not yet run on it (RM0385, 4.1.4). */
static void clock_init(void)
{
    RCC_APB1ENR |= RCC_APB1ENR_PWR;
    (void)RCC_APB1ENR;
    PWR_CR1 |= PWR_CR1_VOS_1;
    RCC_CR |= RCC_CR_HSEON;
    const bool crystal = nb_core_poll(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY, ROUNDS);
    RCC_PLLCFGR = crystal ? RCC_PLLCFGR_HSE_25_432_2 : RCC_PLLCFGR_HSI_16_432_2;
    RCC_CR |= RCC_CR_PLLON;
    PWR_CR1 |= PWR_CR1_ODEN;
    (void)nb_core_poll(&PWR_CSR1, PWR_CSR1_ODRDY, PWR_CSR1_ODRDY, ROUNDS);
    PWR_CR1 |= PWR_CR1_ODSWEN;
    (void)nb_core_poll(&PWR_CSR1, PWR_CSR1_ODSWRDY, PWR_CSR1_ODSWRDY, ROUNDS);
    FLASH_ACR = FLASH_ACR_PRFTEN | FLASH_ACR_ARTEN | 7u;
    (void)nb_core_poll(&FLASH_ACR, FLASH_ACR_LATENCY, 7u, ROUNDS);
    (void)nb_core_poll(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY, ROUNDS);
    RCC_CFGR = RCC_CFGR_PPRE1_4 | RCC_CFGR_PPRE2_2;
    RCC_CFGR = RCC_CFGR_PPRE1_4 | RCC_CFGR_PPRE2_2 | RCC_CFGR_SW_PLL;
    (void)nb_core_poll(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL, ROUNDS);
}

static void console_init(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA | RCC_AHB1ENR_GPIOB;
    RCC_APB2ENR |= RCC_APB2ENR_USART1;
    RCC_DCKCFGR2 &= ~RCC_DCKCFGR2_USART1;
    (void)RCC_DCKCFGR2;
    GPIO_AFRH(GPIOA) = (GPIO_AFRH(GPIOA) & ~0xF0u) | 0x70u;
    GPIO_AFRL(GPIOB) = (GPIO_AFRL(GPIOB) & ~(15u << 28)) | (7u << 28);
    GPIO_MODER(GPIOA) = (GPIO_MODER(GPIOA) & ~(3u << 18)) | (2u << 18);
    GPIO_MODER(GPIOB) = (GPIO_MODER(GPIOB) & ~(3u << 14)) | (2u << 14);
    st_usart_stop();
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

/* Levels first, then outputs: timestamp high, code 0. */
static void pins_init(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOG | RCC_AHB1ENR_GPIOI;
    (void)RCC_AHB1ENR;
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    GPIO_OSPEEDR(GPIOG) |= 0xAu << 12;
    GPIO_OSPEEDR(GPIOI) |= 0xAu << 4;
    GPIO_MODER(GPIOG) = (GPIO_MODER(GPIOG) & ~(0xFu << 12)) | (0x5u << 12);
    GPIO_MODER(GPIOI) = (GPIO_MODER(GPIOI) & ~(0xFu << 4)) | (0x5u << 4);
}

void nb_hal_init(void)
{
    (void)nb_core_init();
    clock_init();
    nb_cache_on();
    pins_init();
    console_init();
}

void nb_hal_timestamp(bool high)
{
    GPIO_BSRR(GPIOI) = high ? TIMESTAMP : TIMESTAMP << 16;
}

void nb_hal_marker(uint32_t code)
{
    const uint32_t i = (code & 1u) != 0 ? CODE0 : 0;
    const uint32_t g = ((code & 2u) != 0 ? CODE1 : 0) | ((code & 4u) != 0 ? CODE2 : 0);
    GPIO_BSRR(GPIOI) = i | (CODE0 & ~i) << 16;
    GPIO_BSRR(GPIOG) = g | ((CODE1 | CODE2) & ~g) << 16;
}

_Noreturn void nb_hal_reset(void)
{
    nb_core_reset();
}
