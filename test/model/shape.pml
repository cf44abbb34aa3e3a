/*
 * The shapes of saga that are searched. STAGE numbers the stages from 0; steps of one
 * stage run side by side. NEIGHBOUR is the other step of the stage, or the step itself.
 */

#ifdef SEQUENCE /* two compensatable steps, the pivot, a retriable step */
#define N 4
#define OPS 2
#define TCC 0
#define STAGE(i) (i)
#define NEIGHBOUR(i) (i)
#define COMPENSATABLE(i) ((i) < 2)
#define PIVOT(i) ((i) == 2)
#define RETRIABLE(i) ((i) == 3)
#endif

#ifdef GROUP /* a step, two side by side, a step; all of them compensatable */
#define N 4
#define OPS 2
#define TCC 0
#define STAGE(i) (((i) + 1) / 2)
#define NEIGHBOUR(i) ((i) == 1 -> 2 : ((i) == 2 -> 1 : (i)))
#define COMPENSATABLE(i) true
#define PIVOT(i) false
#define RETRIABLE(i) false
#endif

#ifdef PAIR /* only the two side by side */
#define N 2
#define OPS 2
#define TCC 0
#define STAGE(i) 0
#define NEIGHBOUR(i) (1 - (i))
#define COMPENSATABLE(i) true
#define PIVOT(i) false
#define RETRIABLE(i) false
#endif

#ifdef MIXED /* two side by side, the pivot, two retriable steps side by side */
#define N 5
#define OPS 2
#define TCC 0
#define STAGE(i) ((i) < 2 -> 0 : ((i) == 2 -> 1 : 2))
#define NEIGHBOUR(i) ((i) == 2 -> 2 : ((i) < 2 -> 1 - (i) : 7 - (i)))
#define COMPENSATABLE(i) ((i) < 2)
#define PIVOT(i) ((i) == 2)
#define RETRIABLE(i) ((i) > 2)
#endif

#ifdef RESERVE /* mode TCC: two steps reserve one after the other, then both confirm */
#define N 2
#define OPS 3
#define TCC 1
#define STAGE(i) (i)
#define NEIGHBOUR(i) (i)
#define COMPENSATABLE(i) true
#define PIVOT(i) false
#define RETRIABLE(i) false
#endif

#ifdef TRIPLE /* mode TCC: a step, then two side by side */
#define N 3
#define OPS 3
#define TCC 1
#define STAGE(i) (((i) + 1) / 2)
#define NEIGHBOUR(i) ((i) == 0 -> 0 : 3 - (i))
#define COMPENSATABLE(i) true
#define PIVOT(i) false
#define RETRIABLE(i) false
#endif

/* What an operation may be sent before its timer gives up. Two tells "again" from "the
 * last time"; more of them only repeat the first. */
#define ATTEMPTS 2
