/* SPDX-License-Identifier: MIT */
/* Do two trees have the same leaves, from left to right, whatever their shape? Each tree is walked by a plain
 * recursive function in a generator of its own, only as far as the answer needs: of trees that differ early the rest
 * is not seen. */
#include <coir.h>
#include <stdio.h>
#include <stdlib.h>

struct node {
    const struct node *left, *right; /* both NULL in a leaf */
    char label;
};

struct tree {
    const char *text;
    const struct node *root;
};

struct walk {
    coir_gen *leaves;
    const struct node *root;
    int seen;
};

#define LEAF(label) (&(const struct node){NULL, NULL, label})
#define NODE(left, right) (&(const struct node){left, right, 0})

static const struct tree leaning = {"(((ab)c)d)", NODE(NODE(NODE(LEAF('a'), LEAF('b')), LEAF('c')), LEAF('d'))};
static const struct tree balanced = {"((ab)(cd))", NODE(NODE(LEAF('a'), LEAF('b')), NODE(LEAF('c'), LEAF('d')))};
static const struct tree other = {"(a(x(cd)))", NODE(LEAF('a'), NODE(LEAF('x'), NODE(LEAF('c'), LEAF('d'))))};
static const struct tree smaller = {"(a(bc))", NODE(LEAF('a'), NODE(LEAF('b'), LEAF('c')))};

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "same_fringe: %s: %s\n", call, coir_strerror(result));
    exit(1);
}

/* Hands out the leaves below a node, from any depth of the recursion. */
static int hand_out(coir_gen *g, const struct node *node, int *seen)
{
    int error;

    if (node->left == NULL) {
        ++*seen;
        return coir_gen_yield(g, &node->label);
    }
    error = hand_out(g, node->left, seen);
    return error == COIR_OK ? hand_out(g, node->right, seen) : error;
}

static int leaves(coir_gen *g, void *arg)
{
    struct walk *w = arg;

    return hand_out(g, w->root, &w->seen);
}

static void walk_start(struct walk *w, const struct tree *tree)
{
    w->root = tree->root;
    w->seen = 0;
    check("coir_gen_create", coir_gen_create(&w->leaves, sizeof(char), leaves, w, NULL));
}

/* The next leaf's label, 0 when there is none. */
static char walk_next(struct walk *w)
{
    char label = 0;

    check("coir_gen_next", coir_gen_next(w->leaves, &label));
    return label;
}

static void walk_end(struct walk *w)
{
    check("coir_gen_destroy", coir_gen_destroy(w->leaves));
}

static void compare(const struct tree *a, const struct tree *b)
{
    struct walk in_a, in_b;
    char label_a, label_b;

    walk_start(&in_a, a);
    walk_start(&in_b, b);
    do {
        label_a = walk_next(&in_a);
        label_b = walk_next(&in_b);
    } while (label_a == label_b && label_a != 0);
    printf("%s and %s: %s, seen %d and %d leaves\n", a->text, b->text, label_a == label_b ? "same" : "different",
           in_a.seen, in_b.seen);
    walk_end(&in_b);
    walk_end(&in_a);
}

int main(void)
{
    compare(&leaning, &balanced);
    compare(&leaning, &other);
    compare(&leaning, &smaller);
    return 0;
}
