//! SysV shared memory.
