/* hal.c (stm32g0): NUCLEO-G0B1RE.
 *
 * Clock: HSI 16 MHz times 8, by 2: 64 MHz in Range 1, as exact as HSI (about 1 %).
 * Flash: 2 wait states, prefetch and the instruction cache (two lines) on.
 * Counter: TIM2, since the core has none; it stands still until the PLL is set up.
 * Console: USART2 on PA2 and PA3 from PCLK, FIFO on.
 * Pins: PA9 timestamp, PA8, PB5 and PA10 stage code.
 * Idle: Sleep. The core stops; PLL, SRAM, TIM2 and USART go on. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"
#include "st_usart.h"

#define ROUNDS 4000000u
#define TIMESTAMP (1u << 9) /* port A */
#define CODE0 (1u << 8)     /* port A */
#define CODE1 (1u << 5)     /* port B */
#define CODE2 (1u << 10)    /* port A */

_Static_assert(NB_CPU_HZ == 64000000, "the clock that clock_init sets up");

/* Begins as reset leaves it: on HSI 16 MHz, PLL off, Range 1. */
static void clock_init(void)
{
    FLASH_ACR = (FLASH_ACR & ~FLASH_ACR_LATENCY) | FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | 2u;
    (void)nb_core_poll(&FLASH_ACR, FLASH_ACR_LATENCY, 2u, ROUNDS);
    RCC_PLLCFGR = RCC_PLLCFGR_HSI_1_8_2;
    RCC_CR |= RCC_CR_PLLON;
    (void)nb_core_poll(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY, ROUNDS);
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW) | RCC_CFGR_SW_PLL;
    (void)nb_core_poll(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL, ROUNDS);
}

static void counter_init(void)
{
    RCC_APBENR1 |= RCC_APBENR1_TIM2;
    (void)RCC_APBENR1;
    TIM2_ARR = 0xFFFFFFFFu;
    TIM2_CR1 = TIM2_CR1_CEN;
}

static void console_init(void)
{
    RCC_IOPENR |= RCC_IOPENR_GPIOA;
    RCC_APBENR1 |= RCC_APBENR1_USART2;
    RCC_CCIPR &= ~RCC_CCIPR_USART2;
    (void)RCC_CCIPR;
    GPIO_AFRL(GPIOA) = (GPIO_AFRL(GPIOA) & ~0xFF00u) | 0x1100u;
    GPIO_MODER(GPIOA) = (GPIO_MODER(GPIOA) & ~(15u << 4)) | (10u << 4);
    st_usart_stop();
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

/* Levels first, then outputs: timestamp high, code 0. */
static void pins_init(void)
{
    RCC_IOPENR |= RCC_IOPENR_GPIOA | RCC_IOPENR_GPIOB;
    (void)RCC_IOPENR;
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    GPIO_OSPEEDR(GPIOA) |= 0x2Au << 16;
    GPIO_OSPEEDR(GPIOB) |= 0x2u << 10;
    GPIO_MODER(GPIOA) = (GPIO_MODER(GPIOA) & ~(0x3Fu << 16)) | (0x15u << 16);
    GPIO_MODER(GPIOB) = (GPIO_MODER(GPIOB) & ~(0x3u << 10)) | (0x1u << 10);
}

void nb_hal_init(void)
{
    (void)nb_core_init();
    clock_init();
    counter_init();
    pins_init();
    console_init();
}

void nb_hal_timestamp(bool high)
{
    GPIO_BSRR(GPIOA) = high ? TIMESTAMP : TIMESTAMP << 16;
}

void nb_hal_marker(uint32_t code)
{
    const uint32_t a = ((code & 1u) != 0 ? CODE0 : 0) | ((code & 4u) != 0 ? CODE2 : 0);
    GPIO_BSRR(GPIOA) = a | ((CODE0 | CODE2) & ~a) << 16;
    GPIO_BSRR(GPIOB) = (code & 2u) != 0 ? CODE1 : CODE1 << 16;
}

/* SysTick is the alarm; its exception stays pending behind PRIMASK, so that no handler runs. */
bool nb_hal_idle(uint32_t ms)
{
    const uint32_t longest = (SYSTICK_COUNTS - 1u) / ((uint32_t)NB_CPU_HZ / 1000u + 1u);
    while (ms != 0) {
        const uint32_t step = ms < longest ? ms : longest;
        __asm volatile("cpsid i" ::: "memory");
        SYST_RVR = step * ((uint32_t)NB_CPU_HZ / 1000u) - 1u;
        SYST_CVR = 0;
        SYST_CSR = SYST_CSR_CORE_CLOCK_INTERRUPT_ENABLE;
        __asm volatile("dsb\n wfi\n isb" ::: "memory");
        SYST_CSR = 0;
        SCB_ICSR = SCB_ICSR_PENDSTCLR;
        ms -= step;
    }
    return true;
}

_Noreturn void nb_hal_reset(void)
{
    nb_core_reset();
}
