/*  `ringmaster --restore`: a new generation of a cluster from a backup.
 *
 *  Thread rule: at the start of the program.
 */
#pragma once

#include "master/config.h"

/* Makes config->data from config->restore, and says so, or why not, in a sentence. Nothing is made if a port of the
 * master is in use. 0 or RM_E…. */
int rm_renew (const rm_master_config_t *config, void (*say) (void *arg, const char *sentence), void *arg);
