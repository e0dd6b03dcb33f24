#include "logfile.h"

#include <string.h>

#include "runtime/base/text.h"

/* "<time> stdout F " */
#define HEADER_LENGTH (MVM_TIME_LENGTH + sizeof(" stdout F ") - 1)

static void add_record(struct mvm_log_writer *writer, const struct timespec *now, char tag, const char *text,
		       size_t length, struct mvm_buf *out)
{
	char header[HEADER_LENGTH + 1];

	mvm_format_time(now, header);
	memcpy(header + MVM_TIME_LENGTH, writer->stream == MVM_LOG_STDOUT ? " stdout " : " stderr ", 8);
	header[MVM_TIME_LENGTH + 8] = tag;
	header[MVM_TIME_LENGTH + 9] = ' ';
	mvm_buf_add(out, header, HEADER_LENGTH);
	mvm_buf_add(out, writer->part.data, writer->part.length);
	mvm_buf_add(out, text, length);
	mvm_buf_add(out, "\n", 1);
	mvm_buf_consume(&writer->part, writer->part.length);
}

void mvm_log_write(struct mvm_log_writer *writer, const struct timespec *now, const char *data, size_t length,
		   struct mvm_buf *out)
{
	while (length) {
		size_t room = MVM_LOG_PART - writer->part.length;
		size_t span = length < room ? length : room;
		const char *newline = memchr(data, '\n', span);

		if (newline) {
			span = (size_t)(newline - data);
			add_record(writer, now, 'F', data, span, out);
			span++;
		} else if (span == room) {
			add_record(writer, now, 'P', data, span, out);
		} else {
			mvm_buf_add(&writer->part, data, span);
		}
		data += span;
		length -= span;
	}
}

void mvm_log_flush(struct mvm_log_writer *writer, const struct timespec *now, struct mvm_buf *out)
{
	if (writer->part.length)
		add_record(writer, now, 'P', "", 0, out);
	mvm_buf_finish(&writer->part);
}

long mvm_log_parse(const char *data, size_t length, struct mvm_log_record *record)
{
	const char *newline = memchr(data, '\n', length);
	const char *stream = data + MVM_TIME_LENGTH;
	char tag;

	if (!newline)
		return 0;
	if ((size_t)(newline - data) < HEADER_LENGTH)
		return -1;
	tag = stream[8];
	if ((memcmp(stream, " stdout ", 8) && memcmp(stream, " stderr ", 8)) || (tag != 'F' && tag != 'P') ||
	    stream[9] != ' ')
		return -1;
	record->stream = stream[4] == 'o' ? MVM_LOG_STDOUT : MVM_LOG_STDERR;
	record->time = data;
	record->text = data + HEADER_LENGTH;
	record->text_length = (size_t)(newline - record->text);
	record->full = tag == 'F';
	return newline - data + 1;
}
