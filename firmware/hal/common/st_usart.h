/* st_usart.h: the console on an STM32's USART or LPUART with FIFOs, whose registers are the same.
 * A family defines ST_USART_BASE and includes this once, in its hal.c. With ST_USART_HZ (the USART's
 * clock; not for an LPUART, whose divisor is another) it has nb_hal_set_baud, too.
 * Registers: CMSIS headers and HAL/LL drivers of the STM32L4, H7 and N6 series, stm32-data. */
#ifndef ST_USART_H
#define ST_USART_H

#include "nb_core.h"
#include "nb_hal.h"

#define USART_CR1 NB_REGISTER(ST_USART_BASE + 0x00u)
#define USART_CR1_UE (1u << 0)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_FIFOEN (1u << 29)
#define USART_CR3 NB_REGISTER(ST_USART_BASE + 0x08u)
#define USART_CR3_OVRDIS (1u << 12)
#define USART_BRR NB_REGISTER(ST_USART_BASE + 0x0Cu)
#define USART_ISR NB_REGISTER(ST_USART_BASE + 0x1Cu)
#define USART_ISR_RXFNE (1u << 5)
#define USART_ISR_TC (1u << 6)
#define USART_ISR_TXFNF (1u << 7)
#define USART_RDR NB_REGISTER(ST_USART_BASE + 0x24u)
#define USART_TDR NB_REGISTER(ST_USART_BASE + 0x28u)
#define USART_PRESC NB_REGISTER(ST_USART_BASE + 0x2Cu)

/* The USART off, so that it can be set up. What is not fetched in time is overwritten. */
static inline void st_usart_stop(void)
{
    USART_CR1 = 0;
    USART_CR3 = USART_CR3_OVRDIS;
}

static inline void st_usart_start(uint32_t divisor)
{
    USART_CR1 = 0;
    USART_BRR = divisor;
    USART_CR1 = USART_CR1_FIFOEN | USART_CR1_TE | USART_CR1_RE | USART_CR1_UE;
}

void nb_hal_putc(uint8_t byte)
{
    while ((USART_ISR & USART_ISR_TXFNF) == 0) {
    }
    USART_TDR = byte;
}

int nb_hal_getc(void)
{
    return (USART_ISR & USART_ISR_RXFNE) != 0 ? (int)(USART_RDR & 0xFFu) : -1;
}

void nb_hal_flush(void)
{
    while ((USART_ISR & USART_ISR_TC) == 0) {
    }
}

#ifdef ST_USART_HZ
#define ST_USART_BRR_MIN 16u
#define ST_USART_BRR_MAX 0xFFFFu

bool nb_hal_set_baud(uint32_t baud)
{
    if (baud == 0 || baud > ST_USART_HZ / ST_USART_BRR_MIN) {
        return false;
    }
    const uint32_t divisor = (ST_USART_HZ + baud / 2u) / baud;
    if (divisor > ST_USART_BRR_MAX) {
        return false;
    }
    st_usart_start(divisor);
    return true;
}
#endif

#endif
