/* stack.c: the high-water mark of the painted stack. */
#include "nb_harness.h"

uint32_t nb_stack_used(void)
{
    const volatile uint32_t *word = _nb_stack_limit;
    uint32_t free_words = 0;
    while (free_words < NB_STACK_BYTES / 4 && word[free_words] == NB_STACK_PAINT) {
        free_words++;
    }
    return NB_STACK_BYTES - 4 * free_words;
}
