/* minmax_s8.c: int8 minimum and maximum with broadcasting, portable C.
 *
 * Equals TensorFlow Lite Micro's reference MINIMUM and MAXIMUM, which compare raw values: all three
 * tensors have one quantization. About eight instructions per element.
 */
#include "nb_broadcast.h"
#include "nb_kernels.h"

void nb_minimum_s8(const nb_minmax_s8_params *p, const int8_t *input1, const int8_t *input2,
                   int8_t *output)
{
    NB_BROADCAST(p, input1, input2, output, (int8_t)(a < b ? a : b));
}

void nb_maximum_s8(const nb_minmax_s8_params *p, const int8_t *input1, const int8_t *input2,
                   int8_t *output)
{
    NB_BROADCAST(p, input1, input2, output, (int8_t)(a > b ? a : b));
}
