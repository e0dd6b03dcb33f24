#include "internal.h"

static void pipeline_destroy(struct pipeline *pipeline);

static void operand_finish(struct operand *operand)
{
	free(operand->name);
	json_decref(operand->literal);
	mvm_strv_finish(&operand->fields);
	pipeline_destroy(operand->pipeline);
}

static void pipeline_destroy(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	for (size_t i = 0; i < pipeline->variable_count; i++)
		free(pipeline->variables[i]);
	for (size_t i = 0; i < pipeline->count; i++) {
		for (size_t j = 0; j < pipeline->commands[i].count; j++)
			operand_finish(&pipeline->commands[i].operands[j]);
		free(pipeline->commands[i].operands);
	}
	free(pipeline->commands);
	free(pipeline);
}

static void block_finish(struct block *block)
{
	for (size_t i = 0; i < block->count; i++) {
		pipeline_destroy(block->nodes[i].pipeline);
		block_finish(&block->nodes[i].body);
		block_finish(&block->nodes[i].otherwise);
	}
	free(block->nodes);
}

void mvm_template_destroy(struct mvm_template *template)
{
	if (!template)
		return;
	block_finish(&template->body);
	free(template->text);
	free(template);
}
