/* The server: connections of one unix socket, served in turn by one thread. */
#ifndef SERVER_H
#define SERVER_H

#include "volume.h"

/* Serve until a signal asks to end. Signals come through a signalfd; listener does not block. */
void server_run(const struct volumes *all, int listener, int signals);

#endif
