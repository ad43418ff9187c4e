"""Tabletop: a small world of which everything is known.

    scene = draw_scene(seed=0, index=7, law=LAWS["two"])
    picture = render(scene, size=128)
    picture.image, picture.depth, picture.instances, caption(scene)
"""
