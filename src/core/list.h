/*  An intrusive, circular, doubly linked list. A head is a link that points to itself when empty; a link that is in no
 *  list points to itself too, so that removing twice does no harm.
 *
 *  Thread rule: a list belongs to whoever owns its head.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct rm_link {
    struct rm_link *prev, *next;
} rm_link_t;

/* The struct of `type` whose `member` is `link`; does not compile if that is no member of the kind that `link` points to. */
#define RM_OWNER(link, type, member)                                                                                   \
    ((type *)((char *)(link)-offsetof (type, member) - 0 * sizeof ((link) == &((type *)0)->member)))

/* Walks `head`; the present link may be removed on the way. */
#define RM_LIST_EACH(head, link)                                                                                       \
    for (rm_link_t *link = (head)->next, *link##_next = link->next; link != (head);                                    \
         link = link##_next, link##_next = link->next)

static inline void rm_list_init (rm_link_t *head)
{
    head->prev = head->next = head;
}

static inline bool rm_list_empty (const rm_link_t *head)
{
    return head->next == head;
}

static inline bool rm_list_linked (const rm_link_t *link)
{
    return link->next != link;
}

/* The first link, NULL if there is none. */
static inline rm_link_t *rm_list_first (const rm_link_t *head)
{
    return rm_list_empty (head) ? NULL : head->next;
}

static inline void rm_list_insert_before (rm_link_t *place, rm_link_t *link)
{
    link->prev = place->prev;
    link->next = place;
    place->prev->next = link;
    place->prev = link;
}

static inline void rm_list_append (rm_link_t *head, rm_link_t *link)
{
    rm_list_insert_before (head, link);
}

static inline void rm_list_remove (rm_link_t *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    rm_list_init (link);
}
