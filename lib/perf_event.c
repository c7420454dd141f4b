// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which event samples memory accesses on this machine, read from what the kernel
 * shows below /sys/bus/event_source/devices: a PMU has a `type`, its `format/NAME`
 * files say into which bits a term goes, and `events/NAME` files spell events as
 * terms (Documentation/ABI/testing/sysfs-bus-event_source-devices-*).
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "perf.h"

#define TEXT_MAX	256

/*
 * What takes so many cycles was answered by memory: caches of present processors
 * are below, memory is above.  Also the least that AMD's filter takes.
 */
#define LATENCY_TERM	"ldlat=128"

static const char why_syntax[] = "not an event: auto, ibs, pebs, faults or PMU/TERM=VALUE,.../ "
				 "is wanted";
static const char why_no_pmu[] = "this machine has no such PMU (see "
				 "/sys/bus/event_source/devices)";
static const char why_no_term[] = "the PMU has no such term (see its format and events folders)";
static const char why_value[] = "the value of a term is no number, or too large for its field";

struct pmu {
	const struct mpp_roots *roots;
	const char *name;
};

/* The length of a file of the PMU, without its newline, or a negative errno. */
static int read_attribute(const struct pmu *pmu, const char *dir, const char *name,
			  char text[TEXT_MAX])
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/bus/event_source/devices/%s/%s%s%s",
			   pmu->roots->sys, pmu->name, dir, *dir ? "/" : "", name);

	if (len >= (int)sizeof(path))
		return -ENAMETOOLONG;
	len = mpp_read_file(path, TEXT_MAX, text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return len;
}

static bool has_attribute(const struct pmu *pmu, const char *dir, const char *name)
{
	char text[TEXT_MAX];

	return read_attribute(pmu, dir, name, text) >= 0;
}

/* A name becomes part of a path. */
static bool is_plain_name(const char *name)
{
	if (!*name || *name == '.')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_-.:", *name))
			return false;
	return true;
}

static int parse_value(const char *text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return *end || errno ? -EINVAL : 0;
}

/* Puts the low bits of @value where @format ("config1:0-15" or "config:0-7,32-35") says. */
static int deposit(const char *format, uint64_t value, uint64_t config[3])
{
	uint64_t *word = &config[0];
	const char *at = strchr(format, ':');

	if (!strncmp(format, "config1:", 8))
		word = &config[1];
	else if (!strncmp(format, "config2:", 8))
		word = &config[2];
	else if (strncmp(format, "config:", 7) != 0)
		return -EOPNOTSUPP;	/* a word that is not filled here */
	do {
		unsigned int first, last;
		int len = 0;
		char dash;

		at++;
		if (sscanf(at, "%u%c%u%n", &first, &dash, &last, &len) == 3 && dash == '-') {
			at += len;
		} else if (sscanf(at, "%u%n", &first, &len) == 1) {
			last = first;
			at += len;
		} else {
			return -EPROTO;
		}
		if (last < first || last > 63)
			return -EPROTO;
		for (unsigned int bit = first; bit <= last; bit++, value >>= 1)
			*word = (*word & ~(UINT64_C(1) << bit)) | (value & 1) << bit;
	} while (*at == ',');
	return *at || value ? -EINVAL : 0;
}

static int apply_terms(const struct pmu *pmu, const char *terms, bool expand, const char **why,
		       uint64_t config[3]);

static int apply_term(const struct pmu *pmu, char *term, bool expand, const char **why,
		      uint64_t config[3])
{
	static const char *const words[] = { "config", "config1", "config2" };
	char *equals = strchr(term, '=');
	char format[TEXT_MAX];
	uint64_t value = 1;
	int err;

	if (equals)
		*equals = '\0';
	*why = why_no_term;
	if (!is_plain_name(term))
		return -EINVAL;
	if (equals && parse_value(equals + 1, &value)) {
		*why = why_value;
		return -EINVAL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(term, words[i])) {
			config[i] = value;
			return 0;
		}
	}
	if (read_attribute(pmu, "format", term, format) >= 0) {
		err = deposit(format, value, config);
		if (err)
			*why = why_value;
		return err ? -EINVAL : 0;
	}
	if (!equals && expand && read_attribute(pmu, "events", term, format) >= 0)
		return apply_terms(pmu, format, false, why, config);
	return -EINVAL;
}

/* @expand: a term may be an event's name, which stands for further terms. */
static int apply_terms(const struct pmu *pmu, const char *terms, bool expand, const char **why,
		       uint64_t config[3])
{
	char copy[TEXT_MAX], *rest = copy, *term;
	int err = 0;

	if (snprintf(copy, sizeof(copy), "%s", terms) >= (int)sizeof(copy)) {
		*why = why_no_term;
		return -EINVAL;
	}
	while (!err && (term = strsep(&rest, ",")))
		err = apply_term(pmu, term, expand, why, config);
	return err;
}

static bool names_term(const char *terms, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = terms; (at = strstr(at, name)); at += len)
		if ((at == terms || at[-1] == ',') && (!at[len] || strchr(",=", at[len])))
			return true;
	return false;
}

static unsigned int precision(const struct pmu *pmu)
{
	char text[TEXT_MAX];
	uint64_t max;

	if (read_attribute(pmu, "caps", "max_precise", text) < 0 || parse_value(text, &max))
		return 0;
	return max < 2 ? (unsigned int)max : 2;
}

/* Where the PMU is: hybrid ones say it, the others are everywhere. */
static void find_cpus(const struct pmu *pmu, struct mpp_cpus *cpus)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/bus/event_source/devices/%s/cpus",
		     pmu->roots->sys, pmu->name) < (int)sizeof(path) &&
	    !mpp_cpus_read(path, cpus))
		return;
	memset(cpus, 0xff, sizeof(*cpus));
}

/* The event of one PMU that @terms spell. */
static int make_event(const struct pmu *pmu, const char *terms, unsigned int flags,
		      const char **why, struct mpp_perf_event *event)
{
	const bool is_ibs = !strncmp(pmu->name, "ibs_", 4);
	char text[TEXT_MAX];
	uint64_t type;
	int err;

	*event = (struct mpp_perf_event) { .has_data_src = true };
	*why = why_no_pmu;
	if (read_attribute(pmu, "", "type", text) < 0 || parse_value(text, &type))
		return -ENODEV;
	event->type = (uint32_t)type;
	snprintf(event->name, sizeof(event->name), "%s/%s/", pmu->name, terms);
	err = *terms ? apply_terms(pmu, terms, true, why, event->config) : 0;
	if (err)
		return err;
	/* Linux 6.12 and earlier cannot leave the kernel out of IBS; later ones in software. */
	event->can_exclude = !is_ibs;
	if (is_ibs && !(flags & MPP_PERF_KERNEL) && has_attribute(pmu, "format", "swfilt")) {
		event->can_exclude = true;
		err = apply_terms(pmu, "swfilt", false, why, event->config);
	}
	if (!err && names_term(terms, "mem-loads") &&
	    has_attribute(pmu, "events", "mem-loads-aux")) {
		event->has_aux = true;
		err = apply_terms(pmu, "mem-loads-aux", true, why, event->aux_config);
	}
	event->precise = precision(pmu);
	find_cpus(pmu, &event->cpus);
	return err;
}

/* AMD: operations, of those only what missed the last cache where the hardware can tell. */
static int select_ibs(const struct mpp_roots *roots, unsigned int flags, const char **why,
		      struct mpp_perf_event *events)
{
	const struct pmu pmu = { .roots = roots, .name = "ibs_op" };
	char terms[TEXT_MAX] = "";

	if (has_attribute(&pmu, "format", "cnt_ctl"))
		strcat(terms, "cnt_ctl=1,");
	if (!(flags & MPP_PERF_CACHED) && has_attribute(&pmu, "format", "l3missonly"))
		strcat(terms, "l3missonly=1,");
	if (*terms)
		terms[strlen(terms) - 1] = '\0';
	return make_event(&pmu, terms, flags, why, &events[0]) ? -ENODEV : 1;
}

/* Intel: loads by latency, on each kind of core that a hybrid machine has. */
static int select_pebs(const struct mpp_roots *roots, unsigned int flags, const char **why,
		       struct mpp_perf_event *events)
{
	static const char *const names[] = { "cpu", "cpu_core", "cpu_atom" };
	int nr = 0, err;

	for (size_t i = 0; i < ARRAY_SIZE(names) && nr < MPP_PERF_EVENTS_MAX; i++) {
		const struct pmu pmu = { .roots = roots, .name = names[i] };
		const char *terms = "mem-loads";

		/* Shown only where the processor has PEBS, which few virtual machines do. */
		if (!has_attribute(&pmu, "events", "mem-loads"))
			continue;
		if (!(flags & MPP_PERF_CACHED) && has_attribute(&pmu, "format", "ldlat"))
			terms = "mem-loads," LATENCY_TERM;
		err = make_event(&pmu, terms, flags, why, &events[nr]);
		if (err)
			return err;
		nr++;
	}
	*why = why_no_pmu;
	return nr ? nr : -ENODEV;
}

/*
 * Not accesses, but first touches: a software event that every machine has.  The
 * plain page-faults event comes before the page is there and knows no address.
 */
static int select_faults(struct mpp_perf_event *event)
{
	*event = (struct mpp_perf_event) {
		.name = "minor-faults",
		.type = PERF_TYPE_SOFTWARE,
		.config = { PERF_COUNT_SW_PAGE_FAULTS_MIN },
		.can_exclude = true,
	};
	memset(&event->cpus, 0xff, sizeof(event->cpus));
	return 1;
}

static int select_named(const struct mpp_roots *roots, const char *name, unsigned int flags,
			const char **why, struct mpp_perf_event *events)
{
	char copy[MPP_PERF_NAME_MAX], *terms;
	struct pmu pmu = { .roots = roots, .name = copy };
	size_t len = strlen(name);
	int err;

	*why = why_syntax;
	if (len < 3 || len >= sizeof(copy) || name[len - 1] != '/')
		return -EINVAL;
	memcpy(copy, name, len - 1);
	copy[len - 1] = '\0';
	terms = strchr(copy, '/');
	if (!terms)
		return -EINVAL;
	*terms++ = '\0';
	if (!is_plain_name(copy))
		return -EINVAL;
	err = make_event(&pmu, terms, flags, why, &events[0]);
	return err ? err : 1;
}

int mpp_perf_select(const struct mpp_roots *roots, const char *name, unsigned int flags,
		    const char **why, struct mpp_perf_event events[MPP_PERF_EVENTS_MAX])
{
	int nr;

	if (!strcmp(name, "faults"))
		return select_faults(&events[0]);
	if (!strcmp(name, "ibs"))
		return select_ibs(roots, flags, why, events);
	if (!strcmp(name, "pebs"))
		return select_pebs(roots, flags, why, events);
	if (strcmp(name, "auto") != 0)
		return select_named(roots, name, flags, why, events);
	nr = select_ibs(roots, flags, why, events);
	if (nr == -ENODEV)
		nr = select_pebs(roots, flags, why, events);
	if (nr == -ENODEV)
		*why = "this machine has no PMU that samples memory accesses with their addresses "
		       "(AMD IBS, Intel PEBS); the event faults, first touches, works anywhere";
	return nr;
}

static bool reads_number(const char *root, const char *name, long *value)
{
	char path[PATH_MAX], text[TEXT_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", root, name) >= (int)sizeof(path) ||
	    mpp_read_file(path, sizeof(text), text) <= 0)
		return false;
	*value = strtol(text, NULL, 10);
	return true;
}

const char *mpp_perf_explain(const struct mpp_roots *roots, int err, bool privileged)
{
	long paranoid = 0;
	bool has_perf = reads_number(roots->proc, "sys/kernel/perf_event_paranoid", &paranoid);

	switch (err) {
	case -ENOSYS:
		return "this kernel is built without perf events (CONFIG_PERF_EVENTS)";
	case -EACCES:
	case -EPERM:
		if (!has_perf)
			return "this kernel is built without perf events (CONFIG_PERF_EVENTS)";
		if (!privileged && paranoid > 1)
			return "physical addresses need root or CAP_PERFMON while "
			       "kernel.perf_event_paranoid is above 1";
		if (!privileged && paranoid > 0)
			return "sampling whole CPUs or another user's process needs root or "
			       "CAP_PERFMON while kernel.perf_event_paranoid is above 0";
		return "a security module, a container's filter or kernel lockdown forbids "
		       "perf_event_open(2)";
	case -EOPNOTSUPP:
		return "the PMU cannot sample this event, or not precisely enough to know the "
		       "address (virtual machines often have no PEBS or IBS)";
	case -ENODATA:
		return "the processor needs an auxiliary event beside this one "
		       "(give the event as mem-loads)";
	case -EBUSY:
		return "somebody else holds the PMU (perf, the NMI watchdog, a hypervisor)";
	case -EMFILE:
	case -ENFILE:
		return "too many open files: one is needed for each CPU and thread (ulimit -n)";
	case -ESRCH:
		return "no such process";
	case -ENODEV:
		return "none of the CPUs asked for is online, or none has this PMU";
	case -ENOENT:
		return "the PMU does not know this event";
	}
	return strerrordesc_np(-err);
}
