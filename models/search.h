int seen[64];
#define BEGIN (void) 0
