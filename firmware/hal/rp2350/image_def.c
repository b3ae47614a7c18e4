/* image_def.c (rp2350): the block by which the boot ROM knows a program, right behind the vectors.
 *
 * One item, IMAGE_TYPE: executable, Secure, Arm, RP2350. Words from pico-sdk's picobin.h and
 * embassy-rp's block.rs, which agree. The ROM takes stack and entry from the vector table at the
 * start of the image. */
#include <stdint.h>

#define MARKER_START 0xFFFFDED3u
#define ITEM_IMAGE_TYPE 0x10210142u
#define ITEM_LAST 0x000001FFu
#define NEXT_BLOCK_ITSELF 0u
#define MARKER_END 0xAB123579u

extern const uint32_t nb_image_def[5];

__attribute__((used, section(".nb_vectors.image_def"))) const uint32_t nb_image_def[5] = {
    MARKER_START, ITEM_IMAGE_TYPE, ITEM_LAST, NEXT_BLOCK_ITSELF, MARKER_END,
};
