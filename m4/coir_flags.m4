dnl SPDX-License-Identifier: MIT
dnl COIR_COMPILE_FLAGS(VARIABLE, FLAGS): of the flags, those that the compiler takes, into VARIABLE.
AC_DEFUN([COIR_COMPILE_FLAGS], [
  AC_SUBST([$1])
  for coir_flag in m4_normalize([$2]); do
    AS_VAR_PUSHDEF([coir_cache], [coir_cv_compile_$coir_flag])
    AC_CACHE_CHECK([whether $CC takes $coir_flag], [coir_cache], [
      coir_saved=$CFLAGS
      CFLAGS="$CFLAGS -Werror $coir_flag"
      AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([coir_cache], [yes])], [AS_VAR_SET([coir_cache], [no])])
      CFLAGS=$coir_saved])
    AS_VAR_IF([coir_cache], [yes], [$1="$$1 $coir_flag"])
    AS_VAR_POPDEF([coir_cache])
  done])

dnl COIR_LINK_FLAGS(VARIABLE, FLAGS): of the flags, those that the linker takes, into VARIABLE.
AC_DEFUN([COIR_LINK_FLAGS], [
  AC_SUBST([$1])
  for coir_flag in m4_normalize([$2]); do
    AS_VAR_PUSHDEF([coir_cache], [coir_cv_link_$coir_flag])
    AC_CACHE_CHECK([whether the linker takes $coir_flag], [coir_cache], [
      coir_saved=$LDFLAGS
      LDFLAGS="$LDFLAGS $coir_flag"
      AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([coir_cache], [yes])], [AS_VAR_SET([coir_cache], [no])])
      LDFLAGS=$coir_saved])
    AS_VAR_IF([coir_cache], [yes], [$1="$$1 $coir_flag"])
    AS_VAR_POPDEF([coir_cache])
  done])

dnl COIR_PKG_LINKS(PREFIX, MODULES, VARIABLE, PROLOGUE, BODY): sets PREFIX_CFLAGS and PREFIX_LIBS from pkg-config, and
dnl VARIABLE to whether a program links with them. pkg-config alone may answer with a library for another system or C
dnl library than the compiler's.
AC_DEFUN([COIR_PKG_LINKS], [
  $3=no
  PKG_CHECK_MODULES([$1], [$2], [
    coir_saved_CFLAGS=$CFLAGS coir_saved_LIBS=$LIBS
    CFLAGS="$CFLAGS $$1_CFLAGS" LIBS="$$1_LIBS $LIBS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([$4], [$5])], [$3=yes])
    CFLAGS=$coir_saved_CFLAGS LIBS=$coir_saved_LIBS], [:])
  AS_IF([test $$3 = no], [$1_CFLAGS= $1_LIBS=])])

dnl COIR_IS_GLIBC(VARIABLE): whether the current language's compiler works with the GNU C library.
AC_DEFUN([COIR_IS_GLIBC], [
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>
#ifndef __GLIBC__
#error
#endif]])], [$1=yes], [$1=no])])
