/* Names that end in octal digits: OF(prefix with one digit more), and with two. */
#ifndef PVG_DIGITS_H
#define PVG_DIGITS_H

#define EIGHT(OF, FIRST)                                                              \
    OF(FIRST##0) OF(FIRST##1) OF(FIRST##2) OF(FIRST##3)                               \
    OF(FIRST##4) OF(FIRST##5) OF(FIRST##6) OF(FIRST##7)
#define SIXTY_FOUR(OF, FIRST)                                                         \
    EIGHT(OF, FIRST##0) EIGHT(OF, FIRST##1) EIGHT(OF, FIRST##2) EIGHT(OF, FIRST##3)   \
    EIGHT(OF, FIRST##4) EIGHT(OF, FIRST##5) EIGHT(OF, FIRST##6) EIGHT(OF, FIRST##7)

#endif
