/* concat_s8.c: concatenation along any dimension, portable C.
 *
 * Equals TensorFlow Lite Micro's CONCATENATION, which copies without requantizing. Costs a memcpy
 * per input and outer index.
 */
#include <string.h>

#include "nb_kernels.h"

void nb_concat_s8(const nb_concat_s8_params *p, const int8_t *in0, const int8_t *in1,
                  const int8_t *in2, const int8_t *in3, const int8_t *in4, const int8_t *in5,
                  const int8_t *in6, const int8_t *in7, const int8_t *in8, const int8_t *in9,
                  int8_t *output)
{
    const int8_t *from[NB_CONCAT_INPUTS] = {in0, in1, in2, in3, in4, in5, in6, in7, in8, in9};
    for (int32_t i = 0; i < p->outer; i++) {
        for (int32_t k = 0; k < p->inputs; k++) {
            memcpy(output, from[k], (size_t)p->run[k]);
            from[k] += p->run[k];
            output += p->run[k];
        }
    }
}
