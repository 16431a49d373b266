"""Nav & Pick: a mobile robot reaches a table without collision and picks an object up.

The physics is plain geometry. The base is a disc that slides along boxes and never enters one. The
hand is a point that passes through everything. A hand that closes near the object holds it, and the
object moves with the hand. A released object lands on what is below it. Numbers are float32, in
metres, seconds and radians.

Frames, as docs/nav_pick.png shows them:

- home: the origin is a corner of the first room on the floor, x and y run along the walls, z up; a
  heading turns from x towards y (counter-clockwise from above)
- base: the origin is on the floor under the middle of the disc; x ahead, y to the left, z up
- camera: on the axis of the base, 1.1 m up; it looks along the base's x, tilted down by 30 degrees;
  its field of view is 90 degrees both ways; row 0 of an image is the top, column 0 the left

Actions (N, 6) are clipped to [-1, 1], and each lasts 0.1 s. The base turns, then moves.

- 0 forward, at most 0.5 m/s; 1 turn to the left, at most 90 degrees/s
- 2, 3, 4 hand along x, y, z of the base, at most 0.5 m/s each; the arm reaches from 0.3 m to 0.9 m
  from the shoulder, which is at (0.1, 0, 0.8) of the base; the hand is never behind the shoulder
- 5 grip: above 0 the hand is closed and holds an object within 0.15 m; otherwise it is open

Observations:

- `depth` (N, H, W, 1) in [0, 1]: depth along the optical axis, divided by 10 m
- `state` (N, 12): 0-2 hand in the base frame; 3-5 the object's initial place in the base frame;
  6-8 the object's initial place minus the hand, along the base's axes; 9 holding and 10 contact in
  the last step, each 0 or 1; 11 the fraction of the steps that is left
- `privileged` (N, 6), only for scripted options: 0-1 base in the home; 2 its heading in [-pi, pi];
  3-4 the next corner of the shortest path, in the base frame; 5 length of the shortest path to the
  nearest goal, a place from which the hand can reach the object

An episode succeeds when the hand holds the object 0.2 m above its initial place. `measures`:

- `collisions`: the steps in which the base was told to move into something
- `path_length` in metres
- `spl`: 0 before success, then the shortest path over the larger of the shortest path and the
  travelled path. The shortest path ends at a goal in front of the table, but a hand can reach from
  a little farther away, so 1 is easy to get. For the subtask `pick` it means nothing
- `clean_success`: 1 after a success without any contact
"""
