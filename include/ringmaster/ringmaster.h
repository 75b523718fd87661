/*  Everything of Ringmaster's public API. */
#pragma once

#include <ringmaster/client.h>
#include <ringmaster/detector.h>
#include <ringmaster/error.h>
#include <ringmaster/pubsub.h>
#include <ringmaster/retry.h>
#include <ringmaster/rpc.h>
#include <ringmaster/rwlock.h>
#include <ringmaster/stream.h>
#include <ringmaster/worker.h>
