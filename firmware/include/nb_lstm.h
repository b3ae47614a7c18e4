/* nb_lstm.h: what one unit of an LSTM does behind its gates, with 16-bit cells, for every type of
 * activation. Equals TensorFlow Lite Micro's UNIDIRECTIONAL_SEQUENCE_LSTM. */
#ifndef NB_LSTM_H
#define NB_LSTM_H

#include "nb_kernels.h"
#include "nb_requant.h"
#include "nb_sigmoid.h"

static inline int32_t nb_limit16(int32_t x)
{
    return nb_clamp(x, INT16_MIN, INT16_MAX);
}

/* The hidden value before it is cut to its type; `gates` points at the unit's first of four, which
 * lie as many apart as there are units; the unit's cell is updated. */
static inline int32_t nb_lstm_unit(const nb_lstm_s8_params *p, const int16_t *gates,
                                   const uint16_t *table, int16_t *cell)
{
    const int32_t units = p->units, shift = p->cell_shift;
    const int32_t forget = nb_logistic16(3 * gates[0], table);
    const int32_t in = nb_logistic16(3 * gates[units], table);
    const int32_t fresh = nb_tanh16(3 * gates[2 * units], table);
    const int32_t out = nb_logistic16(3 * gates[3 * units], table);
    const int32_t kept =
        nb_limit16(nb_requant(forget * *cell, p->product_multiplier[0], p->product_shift[0]));
    const int32_t added =
        nb_limit16(nb_requant(in * fresh, p->product_multiplier[1], p->product_shift[1]));
    int32_t next = nb_limit16(kept + added);
    if (p->clip > 0) {
        next = nb_clamp(next, -p->clip, p->clip);
    }
    *cell = (int16_t)next;
    const int32_t argument =
        shift >= 0 ? next * 3 * (1 << shift) : (next * 3 + (1 << (-shift - 1))) >> -shift;
    const int32_t lit = nb_tanh16(argument, table);
    return nb_requant(lit * out, p->product_multiplier[2], p->product_shift[2]) + p->hidden_zero;
}

#endif
