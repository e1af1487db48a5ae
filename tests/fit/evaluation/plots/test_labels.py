from itertools import combinations

from fit.evaluation.plots.labels import Box, place

AREA = Box(0, 0, 400, 300)


def test_labels_cover_neither_each_other_nor_points_nor_what_else_there_is() -> None:
    points = [(200.0 + 7 * number, 150.0 + 4 * number) for number in range(6)]
    bars = [Box(150, y, 250, y) for _, y in points]
    boxes = place(points, [60.0] * 6, AREA, bars)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert not any(box.overlaps(bar) for box in boxes for bar in bars)
    assert not any(box.left < x < box.right and box.top < y < box.bottom for box in boxes for x, y in points)
    assert all(box.within(AREA) for box in boxes)


def test_a_lone_label_is_right_of_its_point_or_left_at_the_edge() -> None:
    free, edge = place([(100, 100), (390, 200)], [50, 50], AREA)
    assert (free.left, free.top < 100 < free.bottom, free.detached) == (111, True, False)
    assert edge.right == 379


def test_a_label_far_from_its_point_is_detached() -> None:
    first, second = place([(200, 150), (200, 150)], [50, 50], Box(189, 0, 400, 300))
    assert not first.detached
    assert place([(200, 150)], [50], AREA, [Box(150, 120, 280, 180)])[0].detached
    assert not first.overlaps(second)


def test_without_room_there_is_a_label_all_the_same() -> None:
    assert len(place([(5, 5)], [500], AREA)) == 1
    assert len(place([(50, 50)] * 60, [90] * 60, Box(0, 0, 200, 100))) == 60
