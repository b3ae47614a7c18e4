/* hal.c (mcxn): FRDM-MCXN947, core 0; core 1 stays in reset.
 *
 * Clock: FIRC 48 MHz / 8 * 50 / 2 = 150 MHz from PLL0, core and RAM supplied with 1.2 V.
 * Flash: 3 wait states, LPCAC (code cache) on. SRAM is not cached; its ECC is off from the first
 * instruction on (NB_EARLY_STORE), so that all of it is there.
 * Console: LP_FLEXCOMM4 as LPUART4 on P1_8 and P1_9 from the 12 MHz FRO, which does not depend on the
 * core's clock; 13 samples per bit, FIFO on.
 * Pins: P0_28 timestamp, P0_29 to P0_31 stage code.
 * Idle: WFI. The core's clock stops; PLL, RAM and LPUART go on. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"

#define ROUNDS 1000000u
#define CONSOLE_HZ 12000000u
#define OVERSAMPLING 13u
#define SBR_MAX 0x1FFFu
#define RX_PIN 8u
#define TX_PIN 9u
#define TIMESTAMP_PIN 28u
#define CODE_PIN 29u
#define LOCK_TIME 3300u /* reference of 6 MHz / 2000 + 300 */

_Static_assert(NB_CPU_HZ == 150000000, "the clock that clock_init sets up");
_Static_assert(NB_EARLY_STORE == SYSCON_ECC_ENABLE_CTRL, "the RAM's ECC");

/* The supply's glitch detector goes off first: it takes a change of level for an attack. */
static void supply_init(void)
{
    (void)nb_core_poll(&SPC0_SC, SPC_SC_BUSY, 0, ROUNDS);
    SPC0_ACTIVE_CFG |= ACTIVE_GLITCH_DETECT_OFF;
    SPC0_ACTIVE_CFG = (SPC0_ACTIVE_CFG & ~ACTIVE_DCDC_DS) | ACTIVE_DCDC_DS_NORMAL | ACTIVE_DCDC_LVL;
    (void)nb_core_poll(&SPC0_SC, SPC_SC_BUSY, 0, ROUNDS);
    SPC0_ACTIVE_CFG |= ACTIVE_CORELDO_DS_NORMAL; /* before the level may change */
    (void)nb_core_poll(&SPC0_SC, SPC_SC_BUSY, 0, ROUNDS);
    SPC0_ACTIVE_CFG |= ACTIVE_CORELDO_LVL;
    (void)nb_core_poll(&SPC0_SC, SPC_SC_BUSY, 0, ROUNDS);
    SPC0_SRAMCTL = (SPC0_SRAMCTL & ~SRAMCTL_VSM) | SRAMCTL_VSM_1_2_V;
    SPC0_SRAMCTL |= SRAMCTL_REQ;
    (void)nb_core_poll(&SPC0_SRAMCTL, SRAMCTL_ACK, SRAMCTL_ACK, ROUNDS);
    SPC0_SRAMCTL &= ~SRAMCTL_REQ;
}

static void divide(volatile uint32_t *where, uint32_t value)
{
    *where = value;
    *where = value | APLLDIV_REQ;
}

static void clock_init(void)
{
    SYSCON_AHBCLKCTRLSET2 = AHBCLK2_SCG;
    SCG0_RCCR = SCG_SCS_SIRC;
    (void)nb_core_poll(&SCG0_CSR, SCG_SCS, SCG_SCS_SIRC, ROUNDS);
    FMU0_FCTRL = (FMU0_FCTRL & ~FCTRL_RWSC) | FCTRL_RWSC_150_MHZ;
    SCG0_FIRCCFG &= ~FIRCCFG_RANGE;
    SCG0_FIRCCSR &= ~FIRCCSR_LK;
    SCG0_FIRCCSR |= FIRCCSR_ON;
    (void)nb_core_poll(&SCG0_FIRCCSR, FIRCCSR_VLD, FIRCCSR_VLD, ROUNDS);
    SCG0_LDOCSR |= LDOCSR_EN;
    (void)nb_core_poll(&SCG0_LDOCSR, LDOCSR_VOUT_OK, LDOCSR_VOUT_OK, ROUNDS);
    SCG0_APLLCSR &= ~APLLCSR_ON;
    SCG0_APLLCTRL = APLLCTRL_FIRC_27_13;
    divide(&SCG0_APLLNDIV, 8);
    divide(&SCG0_APLLPDIV, 1); /* divides by twice that */
    divide(&SCG0_APLLMDIV, 50);
    SCG0_APLLSSCG0 = 0;
    SCG0_APLLSSCG1 = 0;
    SCG0_TRIM_LOCK = TRIM_LOCK_OPEN;
    SCG0_APLLLOCK_CNFG = LOCK_TIME;
    SCG0_APLLCSR |= APLLCSR_ON;
    (void)nb_core_poll(&SCG0_APLLCSR, APLLCSR_LOCK, APLLCSR_LOCK, ROUNDS);
    SCG0_RCCR = SCG_SCS_APLL;
    (void)nb_core_poll(&SCG0_CSR, SCG_SCS, SCG_SCS_APLL, ROUNDS);
    SYSCON_AHBCLKDIV = 0;
}

static void cache_init(void)
{
    NVM_CTRL &= ~NVM_CTRL_DIS_MBECC_ERR_DATA;
    SYSCON_LPCAC_CTRL |= LPCAC_CLR;
    SYSCON_LPCAC_CTRL &= ~(LPCAC_CLR | LPCAC_DIS);
}

static void console_init(void)
{
    SYSCON_AHBCLKCTRLSET0 = AHBCLK0_PORT1;
    PORT1_PCR(RX_PIN) = PCR_MUX_2 | PCR_IBE;
    PORT1_PCR(TX_PIN) = PCR_MUX_2;
    SYSCON_FCCLKSEL4 = FCCLKSEL_FRO_12M;
    SYSCON_FLEXCOMM4CLKDIV = CLKDIV_HALT_RESET;
    SYSCON_FLEXCOMM4CLKDIV = CLKDIV_HALT;
    SYSCON_FLEXCOMM4CLKDIV = 0;
    SYSCON_AHBCLKCTRLSET1 = AHBCLK1_FC4;
    SYSCON_PRESETCTRLSET1 = AHBCLK1_FC4;
    (void)nb_core_poll(&SYSCON_PRESETCTRL1, AHBCLK1_FC4, AHBCLK1_FC4, ROUNDS);
    SYSCON_PRESETCTRLCLR1 = AHBCLK1_FC4;
    (void)nb_core_poll(&SYSCON_PRESETCTRL1, AHBCLK1_FC4, 0, ROUNDS);
    FC4_PSELID = PSELID_UART;
    LPUART4_GLOBAL = LPUART_GLOBAL_RST;
    LPUART4_GLOBAL = 0;
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

/* Levels first, then outputs: timestamp high, code 0. */
static void pins_init(void)
{
    SYSCON_AHBCLKCTRLSET0 = AHBCLK0_PORT0 | AHBCLK0_GPIO0;
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    for (uint32_t pin = TIMESTAMP_PIN; pin < TIMESTAMP_PIN + 4u; pin++) {
        PORT0_PCR(pin) = 0; /* GPIO, fast edges, no pull */
    }
    GPIO0_PDDR |= 15u << TIMESTAMP_PIN;
}

void nb_hal_init(void)
{
    (void)nb_core_init();
    supply_init();
    clock_init();
    cache_init();
    pins_init();
    console_init();
}

void nb_hal_putc(uint8_t byte)
{
    while ((LPUART4_STAT & LPUART_STAT_TDRE) == 0) {
    }
    LPUART4_DATA = byte;
}

/* An overrun stops the receiver until it is acknowledged. */
int nb_hal_getc(void)
{
    const uint32_t state = LPUART4_STAT;
    if ((state & LPUART_STAT_OR) != 0) {
        LPUART4_STAT = LPUART_STAT_OR;
    }
    return (state & LPUART_STAT_RDRF) != 0 ? (int)(LPUART4_DATA & 0xFFu) : -1;
}

void nb_hal_flush(void)
{
    while ((LPUART4_STAT & LPUART_STAT_TC) == 0) {
    }
}

bool nb_hal_set_baud(uint32_t baud)
{
    if (baud == 0 || baud > CONSOLE_HZ / OVERSAMPLING) {
        return false;
    }
    const uint32_t divisor = (CONSOLE_HZ / OVERSAMPLING + baud / 2u) / baud;
    if (divisor == 0 || divisor > SBR_MAX) {
        return false;
    }
    LPUART4_CTRL = 0;
    LPUART4_BAUD = ((OVERSAMPLING - 1u) << 24) | divisor;
    LPUART4_FIFO = LPUART_FIFO_RXFE | LPUART_FIFO_TXFE | LPUART_FIFO_FLUSH;
    LPUART4_CTRL = LPUART_CTRL_TE | LPUART_CTRL_RE;
    return true;
}

void nb_hal_timestamp(bool high)
{
    if (high) {
        GPIO0_PSOR = 1u << TIMESTAMP_PIN;
    } else {
        GPIO0_PCOR = 1u << TIMESTAMP_PIN;
    }
}

/* Bits that fall go first: between two stages the code is a part of both. */
void nb_hal_marker(uint32_t code)
{
    GPIO0_PCOR = (~code & 7u) << CODE_PIN;
    GPIO0_PSOR = (code & 7u) << CODE_PIN;
}

_Noreturn void nb_hal_reset(void)
{
    nb_core_reset();
}
