/* What a plugin for Casemate in C or C++ needs: the guest ABI casemate-1, JSON, numbers, memory. One file, no C library.
 *
 *     #include "casemate.h"
 *
 *     static cm_reply greet(cm_value *input) {
 *         cm_bytes name = cm_text_of(cm_get(input, "name"));
 *         cm_writer out = {0};
 *         ...
 *         return cm_json(cm_written(&out));
 *     }
 *
 *     CM_PLUGIN("greeter", "Greeter", "0.1.0",
 *         CM_METHOD("greet", greet))
 *
 *     clang --target=wasm32-unknown-unknown -mbulk-memory -O2 -nostdlib -ffreestanding -Wl,--no-entry -o greeter.wasm greeter.c
 *
 * Include it in one file of the plugin. The same file compiles as C++ (add -fno-exceptions -fno-rtti). With CM_PARTS_ONLY defined
 * before it there are JSON, numbers and memory alone, and nothing is exported: for plugins of another ABI.
 *
 * Memory: what cm_alloc gives, and with it all values and texts that come from this header, lasts until the exported function
 * returns. What is to stay between calls goes into memory of cm_keep, or into globals.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CASEMATE_H
#define CASEMATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define CM_ZERO {}
extern "C" {
#else
#define CM_ZERO {0}
#endif

/* ---- what authors use ---------------------------------------------------------------------------------------------- */

/* Bytes, or a text in UTF-8 without a zero at its end. */
typedef struct {
    const char *data;
    size_t length;
} cm_bytes;

/* What a method, or the host, answers. */
typedef struct {
    int is_error;
    int is_json;
    cm_bytes body;
} cm_reply;

typedef enum { CM_TRACE = 0, CM_DEBUG = 1, CM_INFO = 2, CM_WARN = 3, CM_ERROR = 4 } cm_level;

typedef enum { CM_NULL, CM_FALSE, CM_TRUE, CM_NUMBER, CM_TEXT, CM_ARRAY, CM_OBJECT } cm_kind;

/* A JSON value. Elements and members are a list: for (cm_value *item = array->first; item; item = item->next). */
typedef struct cm_value {
    cm_kind kind;
    double number;
    cm_bytes text;
    cm_bytes name; /* of a member */
    struct cm_value *first;
    struct cm_value *next;
    size_t count;
} cm_value;

/* JSON, or any bytes, as they are written. Begin with `cm_writer out = CM_ZERO;` */
typedef struct {
    char *data;
    size_t length;
    size_t room;
} cm_writer;

/* A method on JSON, and one on bytes. */
typedef cm_reply (*cm_json_method)(cm_value *input);
typedef cm_reply (*cm_raw_method)(cm_bytes input);

typedef struct {
    const char *name;
    cm_json_method json;
    cm_raw_method raw;
} cm_method;

/* The plugin; after it nothing, or CM_INIT and CM_EVENT. */
#define CM_PLUGIN(ID, NAME, VERSION, ...)                                                                               \
    static const cm_method cm_methods[] = {__VA_ARGS__};                                                                \
    CM_EXPORT("casemate_describe") uint64_t casemate_describe(void) {                                                   \
        return cm_describe(ID, NAME, VERSION, cm_methods, sizeof cm_methods / sizeof cm_methods[0]);                    \
    }                                                                                                                   \
    CM_EXPORT("casemate_call") uint64_t casemate_call(char *request, size_t length) {                                   \
        return cm_dispatch(ID, request, length, cm_methods, sizeof cm_methods / sizeof cm_methods[0]);                  \
    }
#define CM_METHOD(NAME, FUNCTION) {NAME, FUNCTION, 0}
#define CM_RAW_METHOD(NAME, FUNCTION) {NAME, 0, FUNCTION}

/* cm_reply FUNCTION(cm_value *configuration): runs once; null where the host gives no configuration. */
#define CM_INIT(FUNCTION)                                                                                               \
    CM_EXPORT("casemate_init") uint64_t casemate_init(char *configuration, size_t length) {                             \
        return cm_start(configuration, length, FUNCTION);                                                               \
    }

/* int FUNCTION(cm_bytes topic, cm_value *body): 0 when the plugin took it. */
#define CM_EVENT(FUNCTION)                                                                                              \
    CM_EXPORT("casemate_event") int32_t casemate_event(char *event, size_t length) {                                    \
        return cm_take_event(event, length, FUNCTION);                                                                  \
    }

static inline cm_bytes cm_of(const char *text);
static inline int cm_is(cm_bytes bytes, const char *text);

static inline cm_reply cm_json(cm_bytes body);
static inline cm_reply cm_raw(cm_bytes body);
static inline cm_reply cm_error(const char *code, const char *message);

/* The member of this name, or nothing; also of nothing. */
static inline cm_value *cm_get(const cm_value *object, const char *name);
/* The text of a value; empty where it is none. */
static inline cm_bytes cm_text_of(const cm_value *value);
/* A value of JSON text; nothing where it is none. */
static inline cm_value *cm_parse(cm_bytes json);

static inline void cm_put(cm_writer *out, const char *text);
static inline void cm_put_bytes(cm_writer *out, cm_bytes bytes);
static inline void cm_put_text(cm_writer *out, cm_bytes text); /* in quotes, escaped */
static inline void cm_put_number(cm_writer *out, double number); /* the shortest that reads back the same */
static inline cm_bytes cm_written(const cm_writer *out);

/* Until the exported function returns; for good, and its end. There is always room: without any the plugin traps. */
static inline void *cm_alloc(size_t size);
static inline void *cm_keep(size_t size);
static inline void cm_drop(void *block);

/* A function of the host's. */
static inline cm_reply cm_host_call(const char *method, cm_bytes json);
static inline cm_reply cm_host_call_raw(const char *method, cm_bytes body);
static inline void cm_log(cm_level level, cm_bytes line);
/* Whether the running call is over its deadline. */
static inline int cm_cancelled(void);
/* An event for whoever has subscribed to its topic. */
static inline cm_reply cm_publish(const char *topic, cm_bytes json);

/* What the host keeps for this plugin. A key that is not there is found = 0. */
typedef struct {
    int found;
    cm_bytes value;
    cm_reply error; /* is_error where the host refused */
} cm_kept;
static inline cm_kept cm_kv_get(cm_bytes key);
static inline cm_reply cm_kv_set(cm_bytes key, cm_bytes value);
static inline cm_reply cm_kv_delete(cm_bytes key);
/* {"keys": [..], "more": bool}: those that begin with prefix and come after `after`, which may be empty. */
static inline cm_reply cm_kv_list(cm_bytes prefix, cm_bytes after, unsigned limit);

/* ---- the boundary ---------------------------------------------------------------------------------------------------- */

#ifndef __wasm_bulk_memory__
#error "casemate.h needs -mbulk-memory"
#endif

#define CM_EXPORT(NAME) __attribute__((export_name(NAME), used))
#define CM_IMPORT(NAME) __attribute__((import_module("casemate"), import_name(NAME)))

CM_IMPORT("host_call") uint64_t cm_import_host_call(const char *request, size_t length);
CM_IMPORT("log") void cm_import_log(int32_t level, const char *line, size_t length);
CM_IMPORT("cancelled") int32_t cm_import_cancelled(void);

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

/* Before every block; a free one is in a list by address, and neighbours are joined. Blocks are multiples of 16 bytes. */
typedef struct cm_block {
    size_t size;
    struct cm_block *next;
} __attribute__((aligned(16))) cm_block;

extern char __heap_base;
static cm_block *cm_free_blocks;
static char *cm_heap_end;
/* What goes when the exported function returns. */
static cm_block *cm_passing;

static inline void cm_give_back(cm_block *block) {
    cm_block **at = &cm_free_blocks;
    while (*at && *at < block) at = &(*at)->next;
    block->next = *at;
    *at = block;
    if (block->next && (char *)block + block->size == (char *)block->next) {
        block->size += block->next->size;
        block->next = block->next->next;
    }
    for (cm_block *before = cm_free_blocks; before && before != block; before = before->next) {
        if ((char *)before + before->size == (char *)block) {
            before->size += block->size;
            before->next = block->next;
            break;
        }
    }
}

static inline int cm_grow(size_t size) {
    const size_t page = 65536;
    if (!cm_heap_end) cm_heap_end = (char *)(((size_t)&__heap_base + 15) & ~(size_t)15);
    size_t end = __builtin_wasm_memory_size(0) * page;
    size_t left = end - (size_t)cm_heap_end;
    if (left < size) {
        size_t pages = (size - left + page - 1) / page;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return 0;
        left += pages * page;
    }
    cm_block *block = (cm_block *)cm_heap_end;
    block->size = left & ~(size_t)15;
    cm_heap_end += block->size;
    cm_give_back(block);
    return 1;
}

static inline cm_block *cm_take_block(size_t size) {
    if (size > 0x7fffffff) return 0;
    size_t whole = ((size + 15) & ~(size_t)15) + sizeof(cm_block);
    for (;;) {
        for (cm_block **at = &cm_free_blocks; *at; at = &(*at)->next) {
            cm_block *block = *at;
            if (block->size < whole) continue;
            if (block->size - whole > 2 * sizeof(cm_block)) {
                cm_block *rest = (cm_block *)((char *)block + whole);
                rest->size = block->size - whole;
                rest->next = block->next;
                *at = rest;
                block->size = whole;
            } else {
                *at = block->next;
            }
            return block;
        }
        if (!cm_grow(whole)) return 0;
    }
}

static inline void *cm_keep(size_t size) {
    cm_block *block = cm_take_block(size);
    if (!block) __builtin_trap();
    return block + 1;
}

static inline void cm_drop(void *memory) {
    if (memory) cm_give_back((cm_block *)memory - 1);
}

static inline void *cm_alloc(size_t size) {
    cm_block *block = (cm_block *)cm_keep(size) - 1;
    block->next = cm_passing;
    cm_passing = block;
    return block + 1;
}

static inline void cm_pass(void) {
    while (cm_passing) {
        cm_block *block = cm_passing;
        cm_passing = block->next;
        cm_give_back(block);
    }
}

/* Compilers call these by themselves; with -mbulk-memory each of the first three is one instruction. */
__attribute__((weak)) void *memcpy(void *to, const void *from, size_t length) { return __builtin_memcpy(to, from, length); }
__attribute__((weak)) void *memmove(void *to, const void *from, size_t length) { return __builtin_memmove(to, from, length); }
__attribute__((weak)) void *memset(void *to, int byte, size_t length) { return __builtin_memset(to, byte, length); }
__attribute__((weak)) int memcmp(const void *left, const void *right, size_t length) {
    const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
    for (size_t i = 0; i < length; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return 0;
}
__attribute__((weak)) size_t strlen(const char *text) {
    const char *end = text;
    while (*end) end++;
    return (size_t)(end - text);
}

/* ---- texts and writers ----------------------------------------------------------------------------------------------- */

static inline cm_bytes cm_of(const char *text) {
    cm_bytes bytes = {text, strlen(text)};
    return bytes;
}

static inline int cm_is(cm_bytes bytes, const char *text) {
    size_t length = strlen(text);
    return bytes.length == length && memcmp(bytes.data, text, length) == 0;
}

static inline void cm_put_bytes(cm_writer *out, cm_bytes bytes) {
    if (out->room - out->length < bytes.length) {
        size_t room = out->room * 2 > out->length + bytes.length ? out->room * 2 : out->length + bytes.length + 64;
        char *data = (char *)cm_alloc(room);
        if (out->length) memcpy(data, out->data, out->length);
        out->data = data;
        out->room = room;
    }
    if (bytes.length) memcpy(out->data + out->length, bytes.data, bytes.length);
    out->length += bytes.length;
}

static inline void cm_put(cm_writer *out, const char *text) { cm_put_bytes(out, cm_of(text)); }

static inline void cm_put_char(cm_writer *out, char c) {
    cm_bytes one = {&c, 1};
    cm_put_bytes(out, one);
}

static inline void cm_put_text(cm_writer *out, cm_bytes text) {
    cm_put_char(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            cm_put_char(out, '\\');
            cm_put_char(out, (char)c);
        } else if (c == '\n') {
            cm_put(out, "\\n");
        } else if (c < 0x20) {
            cm_put(out, "\\u00");
            cm_put_char(out, "0123456789abcdef"[c >> 4]);
            cm_put_char(out, "0123456789abcdef"[c & 15]);
        } else {
            cm_put_char(out, (char)c);
        }
    }
    cm_put_char(out, '"');
}

static inline cm_bytes cm_written(const cm_writer *out) {
    cm_bytes bytes = {out->data, out->length};
    return bytes;
}

/* ---- numbers: exact, by whole numbers of any length ------------------------------------------------------------------- */

/* The largest double has 1024 bits; the least has 1074 after the point, which take as many again of digits. */
#define CM_WORDS 160
#define CM_DIGITS_MAX 800

typedef struct {
    uint32_t words[CM_WORDS];
    int used;
} cm_big;

static inline void cm_big_add_times(cm_big *big, uint32_t factor, uint32_t add) {
    uint64_t carry = add;
    for (int i = 0; i < big->used; i++) {
        carry += (uint64_t)big->words[i] * factor;
        big->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && big->used < CM_WORDS) big->words[big->used++] = (uint32_t)carry;
}

static inline void cm_big_power(cm_big *big, uint32_t base, int times) {
    while (times-- > 0) cm_big_add_times(big, base, 0);
}

static inline void cm_big_shift(cm_big *big, int bits) {
    while (bits >= 31) {
        cm_big_add_times(big, 1u << 31, 0);
        bits -= 31;
    }
    if (bits > 0) cm_big_add_times(big, 1u << bits, 0);
}

static inline int cm_big_compare(const cm_big *a, const cm_big *b) {
    if (a->used != b->used) return a->used < b->used ? -1 : 1;
    for (int i = a->used - 1; i >= 0; i--)
        if (a->words[i] != b->words[i]) return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

static inline void cm_big_less(cm_big *a, const cm_big *b) {
    int64_t borrow = 0;
    for (int i = 0; i < a->used; i++) {
        int64_t word = (int64_t)a->words[i] - (i < b->used ? b->words[i] : 0) + borrow;
        a->words[i] = (uint32_t)word;
        borrow = word < 0 ? -1 : 0;
    }
    while (a->used > 0 && a->words[a->used - 1] == 0) a->used--;
}

static inline int cm_big_bits(const cm_big *a) {
    return a->used == 0 ? 0 : 32 * a->used - __builtin_clz(a->words[a->used - 1]);
}

static inline double cm_bits_double(uint64_t bits) {
    double number;
    __builtin_memcpy(&number, &bits, sizeof number);
    return number;
}

/* The double nearest to 0.d1d2d3… times 10^point, halves to even. */
static inline double cm_nearest(const char *digits, int count, int point) {
    while (count > 0 && digits[0] == 0) digits++, count--, point--;
    while (count > 0 && digits[count - 1] == 0) count--;
    if (count == 0 || point < -330) return 0;
    if (point > 310) return cm_bits_double(0x7ff0000000000000u);
    static cm_big top, bottom;
    top.used = 0;
    bottom.used = 1;
    bottom.words[0] = 1;
    for (int i = 0; i < count; i++) cm_big_add_times(&top, 10, (uint32_t)digits[i]);
    int ten = point - count;
    if (ten >= 0) cm_big_power(&top, 10, ten);
    else cm_big_power(&bottom, 10, -ten);
    /* top / bottom is in [2^(e-1), 2^(e+1)): scaled so that the quotient has 53 bits, or those that a subnormal has. */
    int exponent = cm_big_bits(&top) - cm_big_bits(&bottom);
    int shift = 53 - exponent;
    if (shift > 1074) shift = 1074;
    if (shift > 0) cm_big_shift(&top, shift);
    else cm_big_shift(&bottom, -shift);
    uint64_t quotient = 0;
    cm_big_shift(&bottom, 55);
    for (int bit = 55; bit >= 0; bit--) {
        quotient <<= 1;
        if (cm_big_compare(&top, &bottom) >= 0) {
            cm_big_less(&top, &bottom);
            quotient |= 1;
        }
        if (bit > 0) {
            /* bottom halves; what is exact here has no bit to lose. */
            uint32_t carry = 0;
            for (int w = bottom.used - 1; w >= 0; w--) {
                uint32_t word = bottom.words[w];
                bottom.words[w] = (word >> 1) | (carry << 31);
                carry = word & 1;
            }
            while (bottom.used > 0 && bottom.words[bottom.used - 1] == 0) bottom.used--;
        }
    }
    /* What is left decides about rounding; a quotient of 54 bits gives its last one to it. */
    int half;
    if (quotient >> 53) {
        half = (int)(quotient & 1) * (top.used > 0 ? 3 : 2);
        if (!(quotient & 1) && top.used > 0) half = 1;
        quotient >>= 1;
        shift--;
    } else {
        cm_big_shift(&top, 1);
        int order = cm_big_compare(&top, &bottom);
        half = order > 0 ? 3 : order == 0 ? 2 : 1;
        if (top.used == 0) half = 0;
    }
    if (half == 3 || (half == 2 && (quotient & 1))) quotient++;
    if (quotient >> 53) {
        quotient >>= 1;
        shift--;
    }
    if (!(quotient >> 52)) return cm_bits_double(quotient); /* subnormal: shift is 1074 */
    int biased = 1075 - shift;
    if (biased >= 2047) return cm_bits_double(0x7ff0000000000000u);
    return cm_bits_double(((uint64_t)biased << 52) | (quotient & 0xfffffffffffffu));
}

/* The first 18 digits of a finite positive number, cut, and whether more follow; the answer is where its point is. */
static inline int cm_digits(double number, char *digits, int *more) {
    uint64_t bits;
    __builtin_memcpy(&bits, &number, sizeof bits);
    int biased = (int)(bits >> 52 & 0x7ff);
    uint64_t fraction = bits & 0xfffffffffffffu;
    if (biased) fraction |= 1ull << 52;
    else biased = 1;
    static cm_big top, bottom;
    top.words[0] = (uint32_t)fraction;
    top.words[1] = (uint32_t)(fraction >> 32);
    top.used = fraction >> 32 ? 2 : 1;
    bottom.words[0] = 1;
    bottom.used = 1;
    int two = biased - 1075;
    if (two >= 0) cm_big_shift(&top, two);
    else cm_big_shift(&bottom, -two);
    int point = 0;
    while (cm_big_compare(&top, &bottom) >= 0) cm_big_add_times(&bottom, 10, 0), point++;
    for (;;) {
        cm_big_add_times(&top, 10, 0);
        if (cm_big_compare(&top, &bottom) >= 0) break;
        point--;
    }
    for (int i = 0; i < 18; i++) {
        char digit = 0;
        while (cm_big_compare(&top, &bottom) >= 0) cm_big_less(&top, &bottom), digit++;
        digits[i] = digit;
        cm_big_add_times(&top, 10, 0);
    }
    *more = top.used > 0;
    return point;
}

/* The digits rounded to so many, or up; a carry out of the first one makes them 1 and moves the point. */
static inline int cm_round(const char *digits, int more, int count, int is_up, char *rounded) {
    for (int i = 0; i < count; i++) rounded[i] = digits[i];
    int up = is_up || digits[count] > 5;
    if (!up && digits[count] == 5) {
        up = more || (digits[count - 1] & 1);
        for (int i = count + 1; i < 18; i++) up |= digits[i] != 0;
    }
    for (int i = count - 1; up && i >= 0; i--) {
        up = ++rounded[i] == 10;
        if (up) rounded[i] = 0;
    }
    if (up) rounded[0] = 1;
    return up;
}

static inline void cm_put_whole(cm_writer *out, int number) {
    if (number >= 10) cm_put_whole(out, number / 10);
    cm_put_char(out, (char)('0' + number % 10));
}

static inline void cm_put_number(cm_writer *out, double number) {
    if (number != number || number - number != 0) { /* JSON has neither */
        cm_put(out, "null");
        return;
    }
    if (number < 0) {
        cm_put_char(out, '-');
        number = -number;
    }
    if (number == 0) {
        cm_put_char(out, '0');
        return;
    }
    char digits[19], rounded[19];
    int more, count = 1, point = cm_digits(number, digits, &more), at = 0;
    for (; count <= 17; count++) {
        at = point + cm_round(digits, more, count, 0, rounded);
        if (cm_nearest(rounded, count, at) == number) break;
        /* Above a power of two there is twice the room: what is not nearest may still read back. */
        at = point + cm_round(digits, more, count, 1, rounded);
        if (cm_nearest(rounded, count, at) == number) break;
    }
    while (count > 1 && rounded[count - 1] == 0) count--;
    int plain = at > -6 && at <= 21;
    if (plain && at <= 0) {
        cm_put(out, "0.");
        for (int i = at; i < 0; i++) cm_put_char(out, '0');
    }
    for (int i = 0; i < count || (plain && i < at); i++) {
        if (i > 0 && (plain ? i == at : i == 1)) cm_put_char(out, '.');
        cm_put_char(out, i < count ? (char)('0' + rounded[i]) : '0');
    }
    if (!plain) {
        cm_put(out, at - 1 < 0 ? "e-" : "e+");
        cm_put_whole(out, at - 1 < 0 ? 1 - at : at - 1);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------- */

#define CM_DEPTH_MAX 128

typedef struct {
    const char *at;
    const char *end;
} cm_reader;

static inline void cm_skip(cm_reader *in) {
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\t' || *in->at == '\r')) in->at++;
}

static inline int cm_hex(cm_reader *in, uint32_t *code) {
    *code = 0;
    if (in->end - in->at < 4) return 0;
    for (int i = 0; i < 4; i++) {
        char c = *in->at++;
        uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10) : 16;
        if (digit == 16) return 0;
        *code = *code * 16 + digit;
    }
    return 1;
}

static inline char *cm_utf8(char *to, uint32_t code) {
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 63));
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    }
    return to;
}

/* After the opening quote. A text is never longer than what it is written as. */
static inline int cm_read_text(cm_reader *in, cm_bytes *text) {
    const char *end = in->at;
    while (end < in->end && *end != '"') end += *end == '\\' ? 2 : 1;
    if (end >= in->end) return 0;
    char *data = (char *)cm_alloc((size_t)(end - in->at) + 1), *to = data;
    while (in->at < end) {
        char c = *in->at++;
        if ((unsigned char)c < 0x20) return 0;
        if (c != '\\') {
            *to++ = c;
            continue;
        }
        uint32_t code, low;
        switch (*in->at++) {
            case '"': *to++ = '"'; break;
            case '\\': *to++ = '\\'; break;
            case '/': *to++ = '/'; break;
            case 'b': *to++ = '\b'; break;
            case 'f': *to++ = '\f'; break;
            case 'n': *to++ = '\n'; break;
            case 'r': *to++ = '\r'; break;
            case 't': *to++ = '\t'; break;
            case 'u':
                if (!cm_hex(in, &code) || (code >= 0xdc00 && code < 0xe000)) return 0;
                if (code >= 0xd800 && code < 0xdc00) {
                    if (end - in->at < 6 || in->at[0] != '\\' || in->at[1] != 'u') return 0;
                    in->at += 2;
                    if (!cm_hex(in, &low) || low < 0xdc00 || low >= 0xe000) return 0;
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                }
                to = cm_utf8(to, code);
                break;
            default: return 0;
        }
    }
    in->at = end + 1;
    text->data = data;
    text->length = (size_t)(to - data);
    return 1;
}

static inline int cm_is_digit(const cm_reader *in) { return in->at < in->end && *in->at >= '0' && *in->at <= '9'; }

static inline int cm_read_number(cm_reader *in, double *number) {
    static char digits[CM_DIGITS_MAX + 1];
    int count = 0, point = 0, minus = 0, rest = 0, exponent = 0, down = 0;
    if (*in->at == '-') minus = 1, in->at++;
    if (!cm_is_digit(in) || (*in->at == '0' && in->end - in->at > 1 && in->at[1] >= '0' && in->at[1] <= '9')) return 0;
    for (; cm_is_digit(in); in->at++, point++) {
        if (count < CM_DIGITS_MAX) digits[count++] = (char)(*in->at - '0');
        else rest |= *in->at != '0';
    }
    if (in->at < in->end && *in->at == '.') {
        in->at++;
        if (!cm_is_digit(in)) return 0;
        for (; cm_is_digit(in); in->at++) {
            if (count < CM_DIGITS_MAX) digits[count++] = (char)(*in->at - '0');
            else rest |= *in->at != '0';
        }
    }
    if (in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
        in->at++;
        if (in->at < in->end && (*in->at == '+' || *in->at == '-')) down = *in->at++ == '-';
        if (!cm_is_digit(in)) return 0;
        for (; cm_is_digit(in); in->at++)
            if (exponent < 100000) exponent = exponent * 10 + (*in->at - '0');
    }
    /* Digits that were cut only matter as "more than half". */
    if (rest) digits[count++] = 1;
    double value = cm_nearest(digits, count, point + (down ? -exponent : exponent));
    if (value - value != 0) return 0; /* too large for a double */
    *number = minus ? -value : value;
    return 1;
}

static inline int cm_word(cm_reader *in, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0) return 0;
    in->at += length;
    return 1;
}

static inline cm_value *cm_read(cm_reader *in, int depth) {
    cm_skip(in);
    if (in->at >= in->end || depth > CM_DEPTH_MAX) return 0;
    cm_value *value = (cm_value *)cm_alloc(sizeof(cm_value));
    memset(value, 0, sizeof *value);
    char c = *in->at;
    if (c == '"') {
        in->at++;
        value->kind = CM_TEXT;
        return cm_read_text(in, &value->text) ? value : 0;
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        value->kind = CM_NUMBER;
        return cm_read_number(in, &value->number) ? value : 0;
    }
    if (c == 't') return value->kind = CM_TRUE, cm_word(in, "true") ? value : 0;
    if (c == 'f') return value->kind = CM_FALSE, cm_word(in, "false") ? value : 0;
    if (c == 'n') return value->kind = CM_NULL, cm_word(in, "null") ? value : 0;
    if (c != '[' && c != '{') return 0;
    char close = c == '[' ? ']' : '}';
    value->kind = c == '[' ? CM_ARRAY : CM_OBJECT;
    in->at++;
    cm_skip(in);
    if (in->at < in->end && *in->at == close) {
        in->at++;
        return value;
    }
    cm_value **tail = &value->first;
    for (;;) {
        cm_bytes name = {0, 0};
        if (close == '}') {
            cm_skip(in);
            if (in->at >= in->end || *in->at++ != '"' || !cm_read_text(in, &name)) return 0;
            cm_skip(in);
            if (in->at >= in->end || *in->at++ != ':') return 0;
        }
        cm_value *item = cm_read(in, depth + 1);
        if (!item) return 0;
        item->name = name;
        *tail = item;
        tail = &item->next;
        value->count++;
        cm_skip(in);
        if (in->at >= in->end) return 0;
        if (*in->at == close) {
            in->at++;
            return value;
        }
        if (*in->at++ != ',') return 0;
    }
}

static inline cm_value *cm_parse(cm_bytes json) {
    cm_reader in = {json.data, json.data + json.length};
    cm_value *value = cm_read(&in, 0);
    cm_skip(&in);
    return in.at == in.end ? value : 0;
}

static inline cm_value *cm_get(const cm_value *object, const char *name) {
    if (!object || object->kind != CM_OBJECT) return 0;
    for (cm_value *member = object->first; member; member = member->next)
        if (cm_is(member->name, name)) return member;
    return 0;
}

static inline cm_bytes cm_text_of(const cm_value *value) {
    if (value && value->kind == CM_TEXT) return value->text;
    return cm_of("");
}

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

static inline cm_reply cm_json(cm_bytes body) {
    cm_reply reply = {0, 1, body};
    return reply;
}

static inline cm_reply cm_raw(cm_bytes body) {
    cm_reply reply = {0, 0, body};
    return reply;
}

static inline cm_reply cm_error(const char *code, const char *message) {
    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"code\":");
    cm_put_text(&out, cm_of(code));
    cm_put(&out, ",\"message\":");
    cm_put_text(&out, cm_of(message));
    cm_put(&out, ",\"retryable\":false}");
    cm_reply reply = {1, 1, cm_written(&out)};
    return reply;
}

/* A reply in a block of its own, which the host frees; everything else of the call goes. */
static inline uint64_t cm_hand_over(cm_reply reply) {
    size_t length = reply.body.length + 2;
    char *block = (char *)cm_keep(length);
    block[0] = (char)(reply.is_error != 0);
    block[1] = (char)(reply.is_json != 0);
    if (reply.body.length) memcpy(block + 2, reply.body.data, reply.body.length);
    cm_pass();
    return (uint64_t)length << 32 | (uint64_t)(size_t)block;
}

/* u16 length, name, content type, body. */
static inline int cm_split(char *request, size_t length, cm_bytes *name, int *content, cm_bytes *body) {
    if (length < 3) return 0;
    size_t name_length = (size_t)(unsigned char)request[0] | (size_t)(unsigned char)request[1] << 8;
    if (name_length + 3 > length) return 0;
    name->data = request + 2;
    name->length = name_length;
    *content = request[2 + name_length];
    body->data = request + 3 + name_length;
    body->length = length - 3 - name_length;
    return 1;
}

static inline cm_reply cm_unknown(const char *id, cm_bytes name, const cm_method *methods, size_t count) {
    cm_writer out = CM_ZERO;
    cm_put(&out, "plugin `");
    cm_put(&out, id);
    cm_put(&out, "` has no method `");
    cm_put_bytes(&out, name);
    cm_put(&out, "`; it has ");
    for (size_t i = 0; i < count; i++) {
        cm_put(&out, i ? ", `" : "`");
        cm_put(&out, methods[i].name);
        cm_put(&out, "`");
    }
    cm_put_char(&out, 0);
    return cm_error("unknown_method", out.data);
}

static inline uint64_t cm_dispatch(const char *id, char *request, size_t length, const cm_method *methods, size_t count) {
    cm_bytes name, body;
    int content;
    cm_reply reply = cm_error("bad_request", "the request is cut off");
    if (cm_split(request, length, &name, &content, &body)) {
        reply = cm_unknown(id, name, methods, count);
        for (size_t i = 0; i < count; i++) {
            if (!cm_is(name, methods[i].name)) continue;
            if (methods[i].raw) {
                reply = methods[i].raw(body);
                break;
            }
            cm_value *input = content == 1 ? cm_parse(body) : 0;
            reply = input ? methods[i].json(input) : cm_error("bad_input", "its input is JSON, and this is none");
            break;
        }
    }
    uint64_t packed = cm_hand_over(reply);
    cm_drop(request);
    return packed;
}

static inline uint64_t cm_start(char *configuration, size_t length, cm_json_method init) {
    cm_bytes text = {configuration, length};
    cm_value *value = cm_parse(length ? text : cm_of("null"));
    cm_reply reply = value ? init(value) : cm_error("bad_config", "the configuration is no JSON");
    uint64_t packed = cm_hand_over(reply);
    if (length) cm_drop(configuration);
    return packed;
}

static inline int32_t cm_take_event(char *event, size_t length, int (*handler)(cm_bytes topic, cm_value *body)) {
    cm_bytes topic, body;
    int content, ended = 1;
    if (cm_split(event, length, &topic, &content, &body)) ended = handler(topic, content == 1 ? cm_parse(body) : 0);
    cm_pass();
    cm_drop(event);
    return ended;
}

static inline uint64_t cm_describe(const char *id, const char *name, const char *version, const cm_method *methods, size_t count) {
    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"id\":");
    cm_put_text(&out, cm_of(id));
    cm_put(&out, ",\"name\":");
    cm_put_text(&out, cm_of(name));
    cm_put(&out, ",\"version\":");
    cm_put_text(&out, cm_of(version));
    cm_put(&out, ",\"methods\":[");
    for (size_t i = 0; i < count; i++) {
        cm_put(&out, i ? ",{\"name\":" : "{\"name\":");
        cm_put_text(&out, cm_of(methods[i].name));
        cm_put(&out, methods[i].raw ? ",\"content\":\"raw\"}" : ",\"content\":\"json\"}");
    }
    cm_put(&out, "]}");
    return cm_hand_over(cm_json(cm_written(&out)));
}

#ifdef __cplusplus
void __wasm_call_ctors(void);
#endif

#ifndef CM_PARTS_ONLY
/* The host asks once, before everything else: constructors of globals run then. */
CM_EXPORT("casemate_abi") int32_t casemate_abi(void) {
#ifdef __cplusplus
    __wasm_call_ctors();
#endif
    return 1;
}

/* A block of no bytes is an address that nobody reads. */
CM_EXPORT("casemate_alloc") void *casemate_alloc(size_t size, size_t align) {
    if (size == 0) return (void *)16;
    cm_block *block = align <= 16 ? cm_take_block(size) : 0;
    return block ? block + 1 : 0;
}

CM_EXPORT("casemate_free") void casemate_free(void *block, size_t size, size_t align) {
    (void)align;
    if (size) cm_drop(block);
}
#endif

static inline cm_bytes cm_join(const char *name, int is_json, cm_bytes body) {
    size_t name_length = strlen(name), length = 3 + name_length + body.length;
    char *request = (char *)cm_alloc(length);
    request[0] = (char)(name_length & 255);
    request[1] = (char)(name_length >> 8);
    memcpy(request + 2, name, name_length);
    request[2 + name_length] = (char)is_json;
    if (body.length) memcpy(request + 3 + name_length, body.data, body.length);
    cm_bytes joined = {request, length};
    return joined;
}

static inline cm_reply cm_ask(const char *method, int is_json, cm_bytes body) {
    cm_bytes request = cm_join(method, is_json, body);
    uint64_t packed = cm_import_host_call(request.data, request.length);
    size_t answered = (size_t)(packed >> 32);
    char *block = (char *)(size_t)(packed & 0xffffffffu);
    if (answered < 2) return cm_error("bad_reply", "the host's reply is cut off");
    /* It is ours, and goes with the call. */
    ((cm_block *)block - 1)->next = cm_passing;
    cm_passing = (cm_block *)block - 1;
    cm_reply reply = {block[0], block[1], {block + 2, answered - 2}};
    return reply;
}

static inline cm_reply cm_host_call(const char *method, cm_bytes json) { return cm_ask(method, 1, json); }
static inline cm_reply cm_host_call_raw(const char *method, cm_bytes body) { return cm_ask(method, 0, body); }
static inline void cm_log(cm_level level, cm_bytes line) { cm_import_log(level, line.data, line.length); }
static inline int cm_cancelled(void) { return cm_import_cancelled() != 0; }

static inline cm_reply cm_publish(const char *topic, cm_bytes json) {
    return cm_host_call_raw("events.publish", cm_join(topic, 1, json));
}

/* ---- kv --------------------------------------------------------------------------------------------------------------- */

static inline void cm_put_base64(cm_writer *out, cm_bytes bytes) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    cm_put_char(out, '"');
    for (size_t i = 0; i < bytes.length; i += 3) {
        uint32_t three = (uint32_t)(unsigned char)bytes.data[i] << 16;
        if (i + 1 < bytes.length) three |= (uint32_t)(unsigned char)bytes.data[i + 1] << 8;
        if (i + 2 < bytes.length) three |= (uint32_t)(unsigned char)bytes.data[i + 2];
        cm_put_char(out, letters[three >> 18]);
        cm_put_char(out, letters[three >> 12 & 63]);
        cm_put_char(out, i + 1 < bytes.length ? letters[three >> 6 & 63] : '=');
        cm_put_char(out, i + 2 < bytes.length ? letters[three & 63] : '=');
    }
    cm_put_char(out, '"');
}

static inline cm_bytes cm_from_base64(cm_bytes text) {
    char *data = (char *)cm_alloc(text.length + 1), *to = data;
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < text.length && text.data[i] != '='; i++) {
        char c = text.data[i];
        uint32_t six = c >= 'A' && c <= 'Z' ? (uint32_t)(c - 'A') : c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a' + 26)
                       : c >= '0' && c <= '9' ? (uint32_t)(c - '0' + 52) : c == '+' ? 62 : 63;
        bits = bits << 6 | six;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = (char)(bits >> held & 255);
        }
    }
    cm_bytes bytes = {data, (size_t)(to - data)};
    return bytes;
}

static inline cm_reply cm_kv_ask(const char *method, cm_bytes key, const cm_bytes *value) {
    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"key\":");
    cm_put_text(&out, key);
    if (value) {
        cm_put(&out, ",\"value\":");
        cm_put_base64(&out, *value);
    }
    cm_put(&out, "}");
    return cm_host_call(method, cm_written(&out));
}

static inline cm_kept cm_kv_get(cm_bytes key) {
    cm_kept kept = CM_ZERO;
    kept.error = cm_kv_ask("kv.get", key, 0);
    if (kept.error.is_error) return kept;
    cm_value *value = cm_get(cm_parse(kept.error.body), "value");
    if (value && value->kind == CM_TEXT) {
        kept.found = 1;
        kept.value = cm_from_base64(value->text);
    }
    return kept;
}

static inline cm_reply cm_kv_set(cm_bytes key, cm_bytes value) { return cm_kv_ask("kv.set", key, &value); }
static inline cm_reply cm_kv_delete(cm_bytes key) { return cm_kv_ask("kv.delete", key, 0); }

static inline cm_reply cm_kv_list(cm_bytes prefix, cm_bytes after, unsigned limit) {
    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"prefix\":");
    cm_put_text(&out, prefix);
    cm_put(&out, ",\"after\":");
    if (after.length) cm_put_text(&out, after);
    else cm_put(&out, "null");
    cm_put(&out, ",\"limit\":");
    cm_put_number(&out, limit);
    cm_put(&out, "}");
    return cm_host_call("kv.list", cm_written(&out));
}

#ifdef __cplusplus
}
#endif
#endif
