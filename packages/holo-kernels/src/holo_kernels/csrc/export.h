/* What every library needs to be one: how to show a function, and on Windows how to start. */

#ifndef HOLO_EXPORT_H
#define HOLO_EXPORT_H

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
int _fltused = 0; /* the linker wants it where numbers have a point */
int DllMainCRTStartup(void *instance, unsigned long reason, void *reserved)
{
    (void)instance, (void)reason, (void)reserved;
    return 1;
}
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#endif
