// Empty: meson.build adds it where the number of sources would trip Meson 1.0.
