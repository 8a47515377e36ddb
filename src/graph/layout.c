/*
 * layout.c -- every step its place: lists go down, what a group holds stands side by side.
 *
 * Owns:     all distances. Two passes: sizes from the inside out, places from the outside in; whole pixels.
 */
#include "graph_internal.h"
#include <string.h>

#define TEXT_WIDTH 270   /* a longer line is broken */
#define LABEL_WIDTH 180
#define CARD_LEAST 120
#define LANE_GAP 28
#define END_HEIGHT 30

static int max(int a, int b)
{
    return a > b ? a : b;
}

static int break_rows(struct arena *arena, struct row *rows, int width, int *ret_height)
{
    int widest = 0;

    *ret_height = 0;
    for (struct row *row = rows; row != NULL; row = row->next) {
        font_break(arena, row, width);
        for (int i = 0; i < row->lines_len; i++)
            widest = max(widest, font_width(row->ink, row->lines[i], strlen(row->lines[i])));
        *ret_height += row->lines_len * font_line(row->ink);
    }
    return widest;
}

static void size_lane(struct arena *arena, struct lane *lane);

bool layout_is_frame(const struct node *node)
{
    return node->shape == SHAPE_FRAME || node->shape == SHAPE_STACK;
}

int layout_pad(const struct node *node)
{
    if (layout_is_frame(node))
        return FRAME_PAD;
    return node->shape == SHAPE_CARD || node->shape == SHAPE_DOUBLE ? PAD : PAD_POINTED;
}

/* How far a frame's lanes stand out to the left of its axis: that is the axis of the one in the middle, or between the two there. */
static int lanes_left(const struct node *node)
{
    int lanes = 0, middle = 0, left = 0;

    for (const struct lane *lane = node->lanes; lane != NULL; lane = lane->next)
        lanes++;
    for (const struct lane *lane = node->lanes; middle < lanes / 2; lane = lane->next, middle++)
        left += lane->left + lane->right + LANE_GAP;
    for (const struct lane *lane = node->lanes; lanes % 2 == 1 && lane != NULL; lane = lane->next, middle--) {
        if (middle == 0)
            return left + lane->left;
    }
    return left - LANE_GAP / 2;
}

static void size_frame(struct arena *arena, struct node *node, int text)
{
    int lanes = 0, width = 0, height = 0, least = text + 2 * FRAME_PAD;

    for (struct lane *lane = node->lanes; lane != NULL; lane = lane->next, lanes++) {
        size_lane(arena, lane);
        width += lane->left + lane->right + (lanes > 0 ? LANE_GAP : 0);
        height = max(height, lane->height);
    }
    node->left = lanes > 0 ? lanes_left(node) + FRAME_PAD : FRAME_PAD;
    node->right = width + 2 * FRAME_PAD - node->left;
    if (node->left + node->right < least) {
        node->left += (least - node->left - node->right) / 2;
        node->right = least - node->left;
    }
    node->at.w = node->left + node->right;
    node->at.h = FRAME_PAD + node->head + BUS + height + BUS + (lanes > 1 ? BUS : 0);
}

static void size_node(struct arena *arena, struct node *node)
{
    int text = break_rows(arena, node->rows, TEXT_WIDTH, &node->head);

    if (layout_is_frame(node)) {
        size_frame(arena, node, text);
        return;
    }
    node->at.w = max(CARD_LEAST, text + 2 * layout_pad(node));
    node->at.h = node->head + 2 * PAD;
    node->left = node->at.w / 2;
    node->right = node->at.w - node->left;
}

static void size_lane(struct arena *arena, struct lane *lane)
{
    int label_height = 0, label = break_rows(arena, lane->label, LABEL_WIDTH, &label_height);

    lane->left = lane->right = label / 2 + 1;
    lane->height = label_height + GAP;
    for (struct node *node = lane->first; node != NULL; node = node->next) {
        size_node(arena, node);
        lane->left = max(lane->left, node->left);
        lane->right = max(lane->right, node->right);
        lane->height += node->at.h + GAP;
    }
}

static void place_list(struct node *first, int axis, int y);

static void place_frame(struct node *node)
{
    int x = node->lanes == NULL ? 0 : node->axis - lanes_left(node), y = node->at.y + FRAME_PAD + node->head + BUS, height = 0;

    if (node->lanes != NULL && node->lanes->next != NULL)
        y += BUS;
    for (struct lane *lane = node->lanes; lane != NULL; lane = lane->next) {
        height = 0;
        for (const struct row *row = lane->label; row != NULL; row = row->next)
            height += row->lines_len * font_line(row->ink);
        lane->axis = x + lane->left;
        lane->label_y = y;
        place_list(lane->first, lane->axis, y + height + GAP);
        x += lane->left + lane->right + LANE_GAP;
    }
}

static void place_list(struct node *first, int axis, int y)
{
    for (struct node *node = first; node != NULL; node = node->next) {
        node->axis = axis;
        node->at.x = axis - node->left;
        node->at.y = y;
        if (layout_is_frame(node))
            place_frame(node);
        y += node->at.h + GAP;
    }
}

void layout_place(struct tree *tree, struct layout *layout)
{
    struct arena *arena = &tree->arena;
    int head = 0, head_width = 0, end = font_width(INK_STATUS, tree->end, strlen(tree->end)) + 2 * PAD_POINTED;

    size_lane(arena, &tree->lane);
    tree->lane.left = max(tree->lane.left, end / 2 + 1);
    tree->lane.right = max(tree->lane.right, end / 2 + 1);
    head_width = break_rows(arena, tree->head, max(360, tree->lane.left + tree->lane.right), &head);
    layout->width = 2 * MARGIN + max(head_width, tree->lane.left + tree->lane.right);
    layout->axis = MARGIN + tree->lane.left + (layout->width - 2 * MARGIN - tree->lane.left - tree->lane.right) / 2;
    layout->start_y = MARGIN + head + 20;
    place_list(tree->lane.first, layout->axis, layout->start_y + GAP);
    tree->lane.axis = layout->axis;
    layout->end = (struct place){layout->axis - end / 2, layout->start_y + tree->lane.height, end, END_HEIGHT};
    layout->height = layout->end.y + END_HEIGHT + MARGIN;
}
