/* What every library needs: how to export a function and, on Windows, an entry point. */

#ifndef HOLO_EXPORT_H
#define HOLO_EXPORT_H

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
int _fltused = 0; /* the linker requires it where there are floating-point numbers */
int DllMainCRTStartup(void *instance, unsigned long reason, void *reserved)
{
    (void)instance, (void)reason, (void)reserved;
    return 1;
}
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#endif
