/* nb_broadcast.h: the loops of an operator with two inputs that may be broadcast.
 *
 * NB_BROADCAST(p, input1, input2, output, EXPRESSION) runs EXPRESSION, which yields an element from
 * the int32 values `a` and `b`, over p->dims with p->stride1 and p->stride2. The innermost loop
 * costs two loads, one store, two pointer steps and the loop's two on top of EXPRESSION. The inputs
 * are int8; NB_BROADCAST_OF names another type, NB_BROADCAST_BOTH one for each.
 */
#ifndef NB_BROADCAST_H
#define NB_BROADCAST_H

#include <stdint.h>

#define NB_BROADCAST(p, input1, input2, output, EXPRESSION)                                        \
    NB_BROADCAST_OF(int8_t, p, input1, input2, output, EXPRESSION)

#define NB_BROADCAST_OF(type, p, input1, input2, output, EXPRESSION)                               \
    NB_BROADCAST_BOTH(type, type, p, input1, input2, output, EXPRESSION)

#define NB_BROADCAST_BOTH(type1, type2, p, input1, input2, output, EXPRESSION)                     \
    do {                                                                                           \
        const int32_t run = (p)->dims[4], step1 = (p)->stride1[4], step2 = (p)->stride2[4];        \
        for (int32_t i0 = 0; i0 < (p)->dims[0]; i0++) {                                            \
            for (int32_t i1 = 0; i1 < (p)->dims[1]; i1++) {                                        \
                for (int32_t i2 = 0; i2 < (p)->dims[2]; i2++) {                                    \
                    for (int32_t i3 = 0; i3 < (p)->dims[3]; i3++) {                                \
                        const type1 *in1 = (input1) + i0 * (p)->stride1[0] +                       \
                                           i1 * (p)->stride1[1] + i2 * (p)->stride1[2] +           \
                                           i3 * (p)->stride1[3];                                   \
                        const type2 *in2 = (input2) + i0 * (p)->stride2[0] +                       \
                                           i1 * (p)->stride2[1] + i2 * (p)->stride2[2] +           \
                                           i3 * (p)->stride2[3];                                   \
                        for (int32_t n = run; n > 0; n--) {                                        \
                            const int32_t a = *in1;                                                \
                            const int32_t b = *in2;                                                \
                            *(output)++ = (EXPRESSION);                                            \
                            in1 += step1;                                                          \
                            in2 += step2;                                                          \
                        }                                                                          \
                    }                                                                              \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#endif
