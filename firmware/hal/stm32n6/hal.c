/* hal.c (stm32n6): STM32N6570-DK, Secure and privileged throughout.
 *
 * The image runs from AXISRAM2: there is no internal flash. The boot ROM copies it from the external
 * flash (signed, flash boot), or a debugger loads it (development boot; a reset then does not start it
 * again). What the ROM leaves differs between the two, so everything is set up anew.
 * Clock: HSI 64 MHz / 4 * 75 = 1,200 MHz from PLL1; core 600, buses 400, NPU 300, peripherals 200 MHz:
 * the nominal set, which needs no overdrive of the external supply.
 * I- and D-cache on; all RAM in use is cached.
 * Console: USART1 on PE5 and PE6 from HSI, FIFO on: its speed does not depend on the PLL.
 * Pins: PE7 timestamp, PE9, PE10 and PE15 stage code.
 * Idle: WFI. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"
#include "st_usart.h"

#define ROUNDS 4000000u
#define TIMESTAMP (1u << 7)
#define CODE0 (1u << 9)
#define CODE1 (1u << 10)
#define CODE2 (1u << 15)
#define CODES (CODE0 | CODE1 | CODE2)

_Static_assert(NB_CPU_HZ == 600000000, "the clock that clock_init sets up");

static void supply_init(void)
{
    RCC_AHB4ENSR = RCC_AHB4EN_PWR;
    PWR_CR1 &= ~PWR_CR1_SDEN; /* the core's supply is external */
    (void)nb_core_poll(&PWR_VOSCR, PWR_VOSCR_ACTVOSRDY, PWR_VOSCR_ACTVOSRDY, ROUNDS);
}

/* The boot ROM may have left core and buses on the PLL: onto HSI first. */
static void clock_init(void)
{
    RCC_CSR = RCC_CR_HSION;
    (void)nb_core_poll(&RCC_SR, RCC_SR_HSIRDY, RCC_SR_HSIRDY, ROUNDS);
    RCC_CFGR1 &= ~RCC_CFGR1_CPUSW;
    (void)nb_core_poll(&RCC_CFGR1, RCC_CFGR1_CPUSWS, 0, ROUNDS);
    RCC_CFGR1 &= ~RCC_CFGR1_SYSSW;
    (void)nb_core_poll(&RCC_CFGR1, RCC_CFGR1_SYSSWS, 0, ROUNDS);
    RCC_CCR = RCC_CR_PLL1ON;
    (void)nb_core_poll(&RCC_SR, RCC_SR_PLL1RDY, 0, ROUNDS);
    RCC_PLL1CFGR1 = RCC_PLL1CFGR1_HSI_4_75;
    RCC_PLL1CFGR2 = 0;
    RCC_PLL1CFGR3 = RCC_PLL1CFGR3_1_1;
    RCC_CSR = RCC_CR_PLL1ON;
    (void)nb_core_poll(&RCC_SR, RCC_SR_PLL1RDY, RCC_SR_PLL1RDY, ROUNDS);
    RCC_CFGR2 = RCC_CFGR2_HPRE_2;
    RCC_IC1CFGR = RCC_IC_PLL1(2u);
    RCC_IC2CFGR = RCC_IC_PLL1(3u);
    RCC_IC6CFGR = RCC_IC_PLL1(4u);
    RCC_IC11CFGR = RCC_IC_PLL1(3u);
    RCC_DIVENSR = RCC_DIVEN_IC1_IC2_IC6_IC11;
    RCC_CFGR1 |= RCC_CFGR1_CPUSW;
    (void)nb_core_poll(&RCC_CFGR1, RCC_CFGR1_CPUSWS, RCC_CFGR1_CPUSWS, ROUNDS);
    RCC_CFGR1 |= RCC_CFGR1_SYSSW;
    (void)nb_core_poll(&RCC_CFGR1, RCC_CFGR1_SYSSWS, RCC_CFGR1_SYSSWS, ROUNDS);
}

static void console_init(void)
{
    RCC_AHB4ENSR = RCC_AHB4EN_GPIOE;
    RCC_APB2ENSR = RCC_APB2EN_USART1;
    RCC_CCIPR13 = (RCC_CCIPR13 & ~RCC_CCIPR13_USART1) | RCC_CCIPR13_USART1_HSI;
    (void)RCC_CCIPR13;
    GPIO_AFRL(GPIOE) = (GPIO_AFRL(GPIOE) & ~(0xFFu << 20)) | (0x77u << 20);
    GPIO_MODER(GPIOE) = (GPIO_MODER(GPIOE) & ~(15u << 10)) | (10u << 10);
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
    RCC_AHB4ENSR = RCC_AHB4EN_GPIOE;
    (void)RCC_CFGR1;
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    GPIO_OSPEEDR(GPIOE) |= field(pins, 2u);
    GPIO_MODER(GPIOE) = (GPIO_MODER(GPIOE) & ~field(pins, 3u)) | field(pins, 1u);
}

void nb_hal_init(void)
{
    nb_mpu_set(NULL, 0); /* the default map fits: RAM is normal, peripherals are device memory */
    nb_cache_on();
    (void)nb_core_init();
    supply_init();
    clock_init();
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
