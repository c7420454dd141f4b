// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Records as lines of text, both ways: ADDRESS [WEIGHT [TIME]].  By hand, as
 * printf(3) and strtod(3) follow the locale and are several times slower.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

#define WEIGHT_DIGITS	9
#define NS_PER_S	UINT64_C(1000000000)

/* All exact in a double, so that one multiplication or division rounds once. */
static const double powers_of_ten[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

#define POWER_MAX	((int)ARRAY_SIZE(powers_of_ten) - 1)
#define EXPONENT_MAX	400	/* beyond any double */
#define WEIGHT_MAX	1e300

static double scale(double value, int exponent)
{
	for (; exponent > POWER_MAX; exponent -= POWER_MAX)
		value *= powers_of_ten[POWER_MAX];
	for (; exponent < -POWER_MAX; exponent += POWER_MAX)
		value /= powers_of_ten[POWER_MAX];
	return exponent < 0 ? value / powers_of_ten[-exponent] : value * powers_of_ten[exponent];
}

/* ---- Reading ---- */

static const char why_large_time[] = "the time is too large";

struct number {
	uint64_t digits;	/* the leading 19 */
	int exponent;		/* of ten */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* digits[.digits]; NULL when there is no digit, else what follows. */
static const char *take_decimal(const char *at, const char *end, struct number *number)
{
	const char *start = at;
	bool in_fraction = false;

	*number = (struct number) { 0 };
	for (; at < end; at++) {
		if (*at == '.' && !in_fraction && at > start) {
			in_fraction = true;
			continue;
		}
		if (!is_digit(*at))
			break;
		if (number->digits > (UINT64_MAX - 9) / 10) {
			number->exponent += !in_fraction;
			continue;
		}
		number->digits = number->digits * 10 + (uint64_t)(*at - '0');
		number->exponent -= in_fraction;
	}
	return at > start && at[-1] != '.' ? at : NULL;
}

static const char *take_exponent(const char *at, const char *end, struct number *number)
{
	bool negative = at < end && *at == '-';
	int exponent = 0;

	if (at < end && (*at == '-' || *at == '+'))
		at++;
	if (at == end)
		return NULL;
	for (; at < end && is_digit(*at); at++)
		if (exponent < EXPONENT_MAX)
			exponent = exponent * 10 + (*at - '0');
	if (exponent > EXPONENT_MAX)
		exponent = EXPONENT_MAX;
	number->exponent += negative ? -exponent : exponent;
	return at;
}

static const char *parse_weight(const char *at, const char *end, double *weight)
{
	static const char why_none[] = "not a weight: a number such as 3 or 0.25 is wanted "
				       "(columns are ADDRESS WEIGHT TIME)";
	struct number number;
	double value;

	at = take_decimal(at, end, &number);
	if (at && at < end && (*at | 0x20) == 'e')
		at = take_exponent(at + 1, end, &number);
	if (!at || at != end)
		return why_none;
	value = scale((double)number.digits, number.exponent);
	if (value > WEIGHT_MAX * (1 + 1e-9))	/* rounding put some on top */
		return "the weight is too large";
	*weight = value;
	return NULL;
}

static const char *parse_time(const char *at, const char *end, uint64_t *time_ns)
{
	static const char why_none[] = "not a time: seconds with at most 9 decimals are wanted "
				       "(columns are ADDRESS WEIGHT TIME)";
	bool in_fraction = false;
	int nr_decimals = 0;
	uint64_t value = 0;

	if (!is_digit(*at) || !is_digit(end[-1]))
		return why_none;
	for (; at < end; at++) {
		if (*at == '.' && !in_fraction) {
			in_fraction = true;
			continue;
		}
		if (!is_digit(*at) || (in_fraction && ++nr_decimals > 9))
			return why_none;
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return why_large_time;
	}
	for (; nr_decimals < 9; nr_decimals++)
		if (__builtin_mul_overflow(value, UINT64_C(10), &value))
			return why_large_time;
	*time_ns = value;
	return NULL;
}

/* The next column of [*at, end); false when there is none. */
static bool take_column(const char **at, const char *end, const char **start, size_t *len)
{
	const char *c = *at;

	while (c < end && mpp_is_blank(*c))
		c++;
	*start = c;
	while (c < end && !mpp_is_blank(*c))
		c++;
	*len = (size_t)(c - *start);
	*at = c;
	return *len > 0;
}

static const char *parse_columns(const char *at, const char *end, struct mpp_record *record)
{
	const char *column, *why;
	size_t len;

	if (!take_column(&at, end, &column, &len))
		return NULL;
	why = parse_weight(column, column + len, &record->weight);
	if (why || !take_column(&at, end, &column, &len))
		return why;
	why = parse_time(column, column + len, &record->time_ns);
	if (why || !take_column(&at, end, &column, &len))
		return why;
	return "unexpected text after the time (columns are ADDRESS WEIGHT TIME)";
}

int mpp_record_parse(const char *text, size_t len, unsigned int flags, const char **why,
		     struct mpp_record *record)
{
	const char *at = text, *end = text + len, *column, *wrong;
	struct mpp_record new;
	size_t column_len;
	int err;

	take_column(&at, end, &column, &column_len);
	err = mpp_address_parse(column, column_len, flags, why, &new);
	if (err)
		return err;
	wrong = parse_columns(at, end, &new);
	if (wrong) {
		if (why)
			*why = wrong;
		return -EBADMSG;
	}
	*record = new;
	return 0;
}

/* ---- Writing ---- */

static char *put_decimal(char *at, uint64_t value)
{
	char digits[20];
	size_t nr = 0;

	do {
		digits[sizeof(digits) - ++nr] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	memcpy(at, digits + sizeof(digits) - nr, nr);
	return at + nr;
}

static char *put_hex(char *at, uint64_t value)
{
	static const char digits[] = "0123456789abcdef";
	int shift = value ? (63 - __builtin_clzll(value)) & ~3 : 0;

	*at++ = '0';
	*at++ = 'x';
	for (; shift >= 0; shift -= 4)
		*at++ = digits[value >> shift & 15];
	return at;
}

/* @digits has exactly WEIGHT_DIGITS; the first counts for ten to the @exponent. */
static char *put_significant(char *at, uint64_t digits, int exponent)
{
	char text[20];
	int nr = (int)(put_decimal(text, digits) - text);
	int point = 1;

	while (nr > 1 && text[nr - 1] == '0')
		nr--;
	if (exponent < 0 && exponent >= -5) {
		memcpy(at, "0.00000", (size_t)(1 - exponent));
		at += 1 - exponent;
		point = 0;
	} else if (exponent >= 0 && exponent < WEIGHT_DIGITS) {
		point = exponent + 1;
	}
	for (int i = 0; i < nr || i < point; i++) {
		if (i == point && point)
			*at++ = '.';
		*at++ = i < nr ? text[i] : '0';
	}
	if (exponent >= WEIGHT_DIGITS || exponent < -5) {
		*at++ = 'e';
		if (exponent < 0)
			*at++ = '-';
		at = put_decimal(at, (uint64_t)(exponent < 0 ? -exponent : exponent));
	}
	return at;
}

static char *put_weight(char *at, double weight)
{
	int exponent = 0;
	uint64_t digits;

	if (!(weight > 0))	/* also what is not a number */
		weight = 0;
	if (weight > WEIGHT_MAX)
		weight = WEIGHT_MAX;
	if (weight < 1e15 && weight == (double)(uint64_t)weight)
		return put_decimal(at, (uint64_t)weight);
	while (exponent < EXPONENT_MAX && scale(weight, -exponent) >= 10)
		exponent++;
	while (exponent > -EXPONENT_MAX && scale(weight, -exponent) < 1)
		exponent--;
	digits = (uint64_t)(scale(weight, WEIGHT_DIGITS - 1 - exponent) + 0.5);
	if (digits >= 1000000000) {	/* rounded up */
		digits /= 10;
		exponent++;
	}
	return put_significant(at, digits, exponent);
}

static char *put_time(char *at, uint64_t time_ns)
{
	uint64_t fraction = time_ns % NS_PER_S;

	at = put_decimal(at, time_ns / NS_PER_S);
	*at++ = '.';
	for (uint64_t unit = NS_PER_S / 10; unit; unit /= 10)
		*at++ = (char)('0' + fraction / unit % 10);
	return at;
}

size_t mpp_record_format(const struct mpp_record *record, char *text)
{
	char *at = put_hex(text, record->addr);

	if (record->size_bytes != 1) {
		*at++ = '+';
		at = put_decimal(at, record->size_bytes);
	}
	if (record->weight != 1 || record->time_ns) {
		*at++ = ' ';
		at = put_weight(at, record->weight);
	}
	if (record->time_ns) {
		*at++ = ' ';
		at = put_time(at, record->time_ns);
	}
	*at++ = '\n';
	*at = '\0';
	return (size_t)(at - text);
}
