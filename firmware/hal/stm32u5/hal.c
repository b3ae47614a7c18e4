/* hal.c (stm32u5): NUCLEO-U575ZI-Q.
 *
 * Clock: MSIS 4 MHz, locked to the 32,768 Hz crystal, times 80, by 2: 160 MHz in Range 1 with the
 * booster. When the crystal does not start, MSIS runs free; the host's clock check tells the
 * difference. The core's voltage comes from the SMPS.
 * Flash: 4 wait states, prefetch and the instruction cache (8 KiB, constants too) on.
 * Console: USART1 on PA9 and PA10 from PCLK2, FIFO on.
 * Pins: PF12 timestamp, PF13 to PF15 stage code.
 * Idle: Sleep. The core stops; PLL, flash, SRAM and USART go on. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"
#include "st_usart.h"

#define WAIT_CYCLES 4000000u
#define TIMESTAMP_PIN 12u
#define MARKER_PIN 13u

_Static_assert(NB_CPU_HZ == 160000000, "the clock that clock_init sets up");

/* Wait until `flags` of a register have the value, one second of MSIS at most: then go on, so that
 * something is heard or seen at all. */
static void wait_for(const volatile uint32_t *where, uint32_t flags, uint32_t value)
{
    const uint32_t begin = nb_hal_counter();
    while ((*where & flags) != value && nb_hal_counter() - begin < WAIT_CYCLES) {
    }
}

/* The crystal keeps running over a reset. It gets a second at the lowest drive, then one at the
 * highest. */
static bool crystal_init(void)
{
    PWR_DBPR |= PWR_DBPR_DBP;
    for (uint32_t drive = 0; (RCC_BDCR & RCC_BDCR_LSERDY) == 0; drive += RCC_BDCR_LSEDRV) {
        if (drive > RCC_BDCR_LSEDRV) {
            return false;
        }
        RCC_BDCR &= ~RCC_BDCR_LSEON;
        RCC_BDCR = (RCC_BDCR & ~RCC_BDCR_LSEDRV) | drive;
        RCC_BDCR |= RCC_BDCR_LSEON;
        wait_for(&RCC_BDCR, RCC_BDCR_LSERDY, RCC_BDCR_LSERDY);
    }
    RCC_BDCR |= RCC_BDCR_LSESYSEN;
    wait_for(&RCC_BDCR, RCC_BDCR_LSESYSRDY, RCC_BDCR_LSESYSRDY);
    return true;
}

static void supply_init(void)
{
    RCC_AHB3ENR |= RCC_AHB3ENR_PWR;
    (void)RCC_AHB3ENR;
    PWR_CR3 |= PWR_CR3_REGSEL;
    wait_for(&PWR_SVMSR, PWR_SVMSR_REGS, PWR_SVMSR_REGS);
    PWR_VOSR |= PWR_VOSR_VOS_1;
    wait_for(&PWR_VOSR, PWR_VOSR_VOSRDY, PWR_VOSR_VOSRDY);
}

/* Begins as reset leaves it: on MSIS 4 MHz, PLLs off. The booster takes its clock from the PLL's
 * source, which must be chosen before. */
static void clock_init(void)
{
    if (crystal_init()) {
        RCC_CR |= RCC_CR_MSIPLLEN;
    }
    RCC_PLL1CFGR = RCC_PLL1CFGR_MSIS_R;
    RCC_PLL1DIVR = RCC_PLL1DIVR_80_2;
    PWR_VOSR |= PWR_VOSR_BOOSTEN;
    wait_for(&PWR_VOSR, PWR_VOSR_BOOSTRDY, PWR_VOSR_BOOSTRDY);
    RCC_CR |= RCC_CR_PLL1ON;
    wait_for(&RCC_CR, RCC_CR_PLL1RDY, RCC_CR_PLL1RDY);
    FLASH_ACR = FLASH_ACR_PRFTEN | 4u;
    wait_for(&FLASH_ACR, FLASH_ACR_LATENCY, 4u);
    RCC_CFGR1 = (RCC_CFGR1 & ~3u) | RCC_CFGR1_SW_PLL;
    wait_for(&RCC_CFGR1, RCC_CFGR1_SWS, RCC_CFGR1_SWS);
    wait_for(&ICACHE_SR, ICACHE_SR_BUSYF, 0);
    ICACHE_CR |= ICACHE_CR_EN;
}

static void console_init(void)
{
    RCC_AHB2ENR1 |= RCC_AHB2ENR1_GPIOA;
    RCC_APB2ENR |= RCC_APB2ENR_USART1;
    RCC_CCIPR1 &= ~RCC_CCIPR1_USART1;
    (void)RCC_CCIPR1;
    GPIO_AFRH(GPIOA) = (GPIO_AFRH(GPIOA) & ~0xFF0u) | 0x770u;
    GPIO_MODER(GPIOA) = (GPIO_MODER(GPIOA) & ~(15u << 18)) | (10u << 18);
    st_usart_stop();
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

/* Levels first, then outputs: timestamp high, code 0. */
static void pins_init(void)
{
    RCC_AHB2ENR1 |= RCC_AHB2ENR1_GPIOF;
    (void)RCC_AHB2ENR1;
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    GPIO_OSPEEDR(GPIOF) |= 0xAAu << 24;
    GPIO_MODER(GPIOF) = (GPIO_MODER(GPIOF) & ~(0xFFu << 24)) | (0x55u << 24);
}

void nb_hal_init(void)
{
    (void)nb_core_init();
    supply_init();
    clock_init();
    pins_init();
    console_init();
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
