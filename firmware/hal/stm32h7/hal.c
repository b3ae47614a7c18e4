/* hal.c (stm32h7): NUCLEO-H7A3ZI-Q.
 *
 * Clock: HSE 8 MHz from the probe's MCO (bypass), PLL1 to 280 MHz, buses 280, peripherals 140 MHz;
 * when no HSE comes, HSI 64 MHz / 8 instead, less exact. Direct SMPS supply, voltage scale 0.
 * Flash: 6 wait states. I- and D-cache on: the stack and all data but the arena lie in DTCM, which
 * is not cached; the arena in AXI SRAM is.
 * Console: USART3 on PD8 and PD9 from PCLK1, FIFO on.
 * Pins: PE9 timestamp, PE11, PE13 and PE14 stage code.
 * Idle: Sleep. The core stops; PLL, SRAM and USART go on. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"
#include "st_usart.h"

#define ROUNDS 4000000u
#define TIMESTAMP (1u << 9)
#define CODE0 (1u << 11)
#define CODE1 (1u << 13)
#define CODE2 (1u << 14)
#define CODES (CODE0 | CODE1 | CODE2)

_Static_assert(NB_CPU_HZ == 280000000, "the clock that clock_init sets up");

/* The supply is chosen once per power-on: a second write changes nothing. */
static void supply_init(void)
{
    PWR_CR3 = (PWR_CR3 & ~(PWR_CR3_LDOEN | PWR_CR3_BYPASS)) | PWR_CR3_SMPSEN;
    (void)nb_core_poll(&PWR_CSR1, PWR_CSR1_ACTVOSRDY, PWR_CSR1_ACTVOSRDY, ROUNDS);
    PWR_SRDCR |= PWR_SRDCR_VOS0;
    (void)nb_core_poll(&PWR_SRDCR, PWR_SRDCR_VOSRDY, PWR_SRDCR_VOSRDY, ROUNDS);
}

/* Begins as reset leaves it: on HSI 64 MHz, PLLs off. */
static void clock_init(void)
{
    RCC_CR |= RCC_CR_HSEBYP;
    RCC_CR |= RCC_CR_HSEON;
    const bool crystal = nb_core_poll(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY, ROUNDS);
    RCC_PLLCKSELR = crystal ? RCC_PLLCKSELR_HSE_1 : RCC_PLLCKSELR_HSI_8;
    RCC_PLLCFGR = RCC_PLLCFGR_8_TO_16_MHZ_P;
    RCC_PLL1DIVR = RCC_PLL1DIVR_70_2;
    RCC_CR |= RCC_CR_PLL1ON;
    (void)nb_core_poll(&RCC_CR, RCC_CR_PLL1RDY, RCC_CR_PLL1RDY, ROUNDS);
    FLASH_ACR = FLASH_ACR_280_MHZ;
    (void)nb_core_poll(&FLASH_ACR, FLASH_ACR_280_MHZ, FLASH_ACR_280_MHZ, ROUNDS);
    RCC_CDCFGR1 = RCC_CDCFGR1_CDPPRE_2;
    RCC_CDCFGR2 = RCC_CDCFGR2_CDPPRE12_2;
    RCC_SRDCFGR = RCC_SRDCFGR_SRDPPRE_2;
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW) | RCC_CFGR_SW_PLL1;
    (void)nb_core_poll(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL1, ROUNDS);
}

static void console_init(void)
{
    RCC_AHB4ENR |= RCC_AHB4ENR_GPIOD;
    RCC_APB1LENR |= RCC_APB1LENR_USART3;
    RCC_CDCCIP2R &= ~RCC_CDCCIP2R_USART234578;
    (void)RCC_CDCCIP2R;
    GPIO_AFRH(GPIOD) = (GPIO_AFRH(GPIOD) & ~0xFFu) | 0x77u;
    GPIO_MODER(GPIOD) = (GPIO_MODER(GPIOD) & ~(15u << 16)) | (10u << 16);
    st_usart_stop();
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

/* Two bits per pin: `bits` with each bit twice as far up. */
static uint32_t field(uint32_t bits, uint32_t value)
{
    uint32_t fields = 0;
    for (uint32_t pin = 0; pin < 16; pin++) {
        fields |= (bits >> pin & 1u) != 0 ? value << (2u * pin) : 0;
    }
    return fields;
}

/* Levels first, then outputs: timestamp high, code 0. */
static void pins_init(void)
{
    const uint32_t pins = TIMESTAMP | CODES;
    RCC_AHB4ENR |= RCC_AHB4ENR_GPIOE;
    (void)RCC_AHB4ENR;
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    GPIO_OSPEEDR(GPIOE) |= field(pins, 2u);
    GPIO_MODER(GPIOE) = (GPIO_MODER(GPIOE) & ~field(pins, 3u)) | field(pins, 1u);
}

void nb_hal_init(void)
{
    (void)nb_core_init();
    supply_init();
    clock_init();
    nb_cache_on();
    pins_init();
    console_init();
}

void nb_hal_timestamp(bool high)
{
    GPIO_BSRR(GPIOE) = high ? TIMESTAMP : TIMESTAMP << 16;
}

void nb_hal_marker(uint32_t code)
{
    const uint32_t high = ((code & 1u) != 0 ? CODE0 : 0) | ((code & 2u) != 0 ? CODE1 : 0) |
                          ((code & 4u) != 0 ? CODE2 : 0);
    GPIO_BSRR(GPIOE) = high | (CODES & ~high) << 16;
}

_Noreturn void nb_hal_reset(void)
{
    nb_core_reset();
}
