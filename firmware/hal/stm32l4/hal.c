/* hal.c (stm32l4): NUCLEO-L4R5ZI.
 *
 * Clock: MSI 4 MHz, locked to the 32,768 Hz crystal, times 60, by 2: 120 MHz in Range 1 boost. When
 * the crystal does not start, MSI runs free; the host's clock check tells the difference.
 * Flash: 5 wait states, instruction and data cache of the ART on, prefetch off. SRAM is not cached.
 * Console: LPUART1 on PG7 and PG8 (VDDIO2), from SYSCLK / 4, FIFO on.
 * Pins: PF12 timestamp, PF13 to PF15 stage code.
 * Idle: Sleep. The core stops; PLL, flash, SRAM and LPUART go on, so nothing has to be set up
 * again. Stop modes would lose the PLL, and with it the console's speed and the counter. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"
#include "st_usart.h"

#define WAIT_CYCLES 4000000u
#define CONSOLE_HZ (NB_CPU_HZ / 4u)
#define BRR_MIN 0x300u
#define BRR_MAX 0xFFFFFu
#define TIMESTAMP_PIN 12u
#define MARKER_PIN 13u

_Static_assert(NB_CPU_HZ == 120000000, "the clock that clock_init sets up");

/* Wait until `flags` of a register have the value, one second of MSI at most: then go on, so that
 * something is heard or seen at all. */
static void wait_for(const volatile uint32_t *where, uint32_t flags, uint32_t value)
{
    const uint32_t begin = nb_hal_counter();
    while ((*where & flags) != value && nb_hal_counter() - begin < WAIT_CYCLES) {
    }
}

/* The crystal keeps running over a reset. It gets a second at the lowest drive, as the vendor's
 * board code has it, then one at the highest. */
static bool crystal_init(void)
{
    PWR_CR1 |= PWR_CR1_DBP;
    for (uint32_t drive = 0; (RCC_BDCR & RCC_BDCR_LSERDY) == 0; drive += RCC_BDCR_LSEDRV) {
        if (drive > RCC_BDCR_LSEDRV) {
            return false;
        }
        RCC_BDCR &= ~RCC_BDCR_LSEON;
        RCC_BDCR = (RCC_BDCR & ~RCC_BDCR_LSEDRV) | drive;
        RCC_BDCR |= RCC_BDCR_LSEON;
        wait_for(&RCC_BDCR, RCC_BDCR_LSERDY, RCC_BDCR_LSERDY);
    }
    return true;
}

/* Begins as reset leaves it: on MSI 4 MHz, PLL off, Range 1. */
static void clock_init(void)
{
    RCC_APB1ENR1 |= RCC_APB1ENR1_PWR;
    (void)RCC_APB1ENR1;
    PWR_CR5 &= ~PWR_CR5_R1MODE;
    if (crystal_init()) {
        RCC_CR |= RCC_CR_MSIPLLEN;
    }
    FLASH_ACR = FLASH_ACR_ICEN | FLASH_ACR_DCEN | 5u;
    wait_for(&FLASH_ACR, FLASH_ACR_LATENCY, 5u);
    RCC_PLLCFGR = RCC_PLLCFGR_MSI_1_60_2;
    RCC_CR |= RCC_CR_PLLON;
    wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
    /* half speed first: the step to 120 MHz may not be taken at once */
    RCC_CFGR = RCC_CFGR_HPRE_2;
    RCC_CFGR = RCC_CFGR_HPRE_2 | RCC_CFGR_SW_PLL;
    wait_for(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS);
    nb_hal_wait_us(2);
    RCC_CFGR = RCC_CFGR_SW_PLL;
}

static void console_init(void)
{
    PWR_CR2 |= PWR_CR2_IOSV; /* PG2 to PG15 are dead without */
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOG;
    RCC_APB1ENR2 |= RCC_APB1ENR2_LPUART1;
    RCC_CCIPR = (RCC_CCIPR & ~RCC_CCIPR_LPUART1) | RCC_CCIPR_LPUART1_SYSCLK;
    (void)RCC_CCIPR;
    GPIO_AFRL(GPIOG) = (GPIO_AFRL(GPIOG) & ~(15u << 28)) | (8u << 28);
    GPIO_AFRH(GPIOG) = (GPIO_AFRH(GPIOG) & ~15u) | 8u;
    GPIO_MODER(GPIOG) = (GPIO_MODER(GPIOG) & ~(15u << 14)) | (10u << 14);
    st_usart_stop();
    USART_PRESC = LPUART_PRESC_4;
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

/* Levels first, then outputs: timestamp high, code 0. */
static void pins_init(void)
{
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOF;
    (void)RCC_AHB2ENR;
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    GPIO_OSPEEDR(GPIOF) |= 0xAAu << 24;
    GPIO_MODER(GPIOF) = (GPIO_MODER(GPIOF) & ~(0xFFu << 24)) | (0x55u << 24);
}

void nb_hal_init(void)
{
    (void)nb_core_init();
    clock_init();
    pins_init();
    console_init();
}

/* BRR = 256 * clock / baud, in two 32-bit steps. */
bool nb_hal_set_baud(uint32_t baud)
{
    if (baud == 0 || baud > CONSOLE_HZ / 3u) {
        return false;
    }
    const uint32_t divisor =
        CONSOLE_HZ / baud * 256u + (CONSOLE_HZ % baud * 256u + baud / 2u) / baud;
    if (divisor < BRR_MIN || divisor > BRR_MAX) {
        return false;
    }
    st_usart_start(divisor);
    return true;
}

void nb_hal_timestamp(bool high)
{
    GPIO_BSRR(GPIOF) = 1u << (high ? TIMESTAMP_PIN : TIMESTAMP_PIN + 16u);
}

void nb_hal_marker(uint32_t code)
{
    GPIO_BSRR(GPIOF) = ((code & 7u) << MARKER_PIN) | ((~code & 7u) << (MARKER_PIN + 16u));
}

_Noreturn void nb_hal_reset(void)
{
    nb_core_reset();
}
