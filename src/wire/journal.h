/*
 * journal.h -- the frame of a journal record, which its writer and its reader share.
 *
 * {"v":1,<head members>,"crc":"<8 hex>","steps":[<steps>]}
 */
#ifndef BATON_WIRE_JOURNAL_H
#define BATON_WIRE_JOURNAL_H

#include <baton/wire.h>

#define JOURNAL_BEGIN "{\"v\":1,"
#define JOURNAL_CRC ",\"crc\":\""
#define JOURNAL_CRC_DIGITS 8
#define JOURNAL_STEPS "\",\"steps\":["
#define JOURNAL_END "]}"

/* CRC-32 of everything that says something: the head (all before JOURNAL_CRC), then the steps' text. */
uint32_t journal_crc(const char *head, size_t head_len, const char *steps, size_t steps_len);
void journal_crc_text(char out[JOURNAL_CRC_DIGITS], uint32_t crc);

#endif
