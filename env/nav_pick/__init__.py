"""Nav & Pick: a mobile robot reaches a table without collision and picks an object up.

Geometry, not an engine: the base is a disc that slides along boxes and never enters one; the hand
is a point that passes through things; an object that is near when the hand closes is held by it,
moves with it, and lies on what is below when it is let go. Numbers are float32 in metres, seconds
and radians.

Frames, as docs/nav_pick.png shows them:

- home: x and y along the walls, from a corner of the first room; z up from the floor; a heading
  counts from x towards y (counter-clockwise from above)
- base: from the floor under the middle of the disc; x ahead, y to the left, z up
- camera: on the axis of the base, 1.1 m up, looks along the base's x, tilted down by 30 degrees, 90
  degrees wide and high; of an image row 0 is the top, column 0 the left

Actions (N, 6), clipped to [-1, 1]; each holds for 0.1 s. The base turns, then moves.

- 0 forward, to 0.5 m/s; 1 turn, to 90 degrees/s, to the left
- 2, 3, 4 hand along x, y, z of the base, to 0.5 m/s each, as far as the arm reaches: 0.3 m to 0.9 m
  from the shoulder, which is at (0.1, 0, 0.8) of the base, and not behind it
- 5 grip: above 0 it is closed, and holds an object within 0.15 m; else it is open

Observations:

- `depth` (N, H, W, 1) in [0, 1]: along the optical axis, of 10 m
- `state` (N, 12): 0-2 hand in the base's frame; 3-5 where the object lay at the start, seen from
  the base, and 6-8 from the hand, along the axes of the base; 9 holding, 10 contact in the last
  step, each 0 or 1; 11 share of the steps that is left
- `privileged` (N, 6), for scripted options alone: 0-1 base in the home, 2 its heading in [-pi, pi];
  3-4 in the base's frame, where the shortest path leads straight to; 5 length of the path to the
  nearest place from where the object can be reached

An episode succeeds when the object is held 0.2 m above where it lay. `measures`: `collisions`,
steps in which the base was told to move into something; `path_length`, m; `spl`, 0 before success:
the shortest path, which leads to the nearest place to stand in front of the table, over the longer
of it and the path gone. An object may be reached from a little farther off, so that 1 is
easily had, and of who has only to pick it says nothing.
"""
