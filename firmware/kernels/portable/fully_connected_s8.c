/* fully_connected_s8.c: int8 fully connected layer, portable C.
 *
 * Equals TensorFlow Lite Micro's reference FULLY_CONNECTED, with one scale for all weights or one
 * per output. The input's offset is folded into the bias when the network is compiled.
 *
 * Four outputs at a time share each load of the input. Two steps of the inner loop are 10 loads, 8
 * multiply-adds and the loop's two: 20 instructions for 8 multiply-adds, 2.5 each (GCC 12 -O2 for
 * Cortex-M4); requantizing and storing an output takes about 35 more. Counted over whole layers on
 * an emulated Cortex-M4: 2.6 with 640 inputs, 2.9 with 128. Up to three remaining outputs repeat
 * the last one. No assumption about shapes or alignment.
 */
#include <stddef.h>

#include "nb_kernels.h"
#include "nb_requant.h"

void nb_fully_connected_s8(const nb_fully_connected_s8_params *p, const int8_t *input,
                           const int8_t *weights, const int32_t *bias, const int32_t *scales,
                           int8_t *output)
{
    const int32_t depth = p->in_c;
    const int32_t outputs = p->out_c;
    for (int32_t b = 0; b < p->batches; b++) {
        const int8_t *row = weights;
        for (int32_t c = 0; c < outputs; c += 4) {
            const int32_t left = outputs - c;
            const int8_t *x = input;
            const int8_t *w0 = row;
            const int8_t *w1 = left > 1 ? w0 + depth : w0;
            const int8_t *w2 = left > 2 ? w1 + depth : w1;
            const int8_t *w3 = left > 3 ? w2 + depth : w2;
            const int8_t *end = x + depth;
            int32_t sum[4] = {0, 0, 0, 0};
#pragma GCC unroll 2
            while (x != end) {
                const int32_t value = *x++;
                sum[0] += value * *w0++;
                sum[1] += value * *w1++;
                sum[2] += value * *w2++;
                sum[3] += value * *w3++;
            }
            for (int32_t i = 0; i < 4 && i < left; i++) {
                const int32_t multiplier = scales != NULL ? scales[2 * (c + i)] : p->multiplier;
                const int32_t shift = scales != NULL ? scales[2 * (c + i) + 1] : p->shift;
                const int32_t scaled = nb_requant(sum[i] + bias[c + i], multiplier, shift);
                output[c + i] = (int8_t)nb_clamp(scaled + p->output_zero, p->low, p->high);
            }
            row += 4 * depth;
        }
        input += depth;
        output += outputs;
    }
}
