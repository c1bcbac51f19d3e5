"""Heads drawn by a browser, for measuring only: vector drawings (SVG), style sheets (CSS), ray-marched 3D (WebGL).

Nothing of this is in the training set of the realness classifier, and none of its code is shared with it. One page
shows a grid of heads; a headless Chromium takes its picture.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["CELL", "browser", "css_heads", "svg_heads", "webgl_heads"]

CELL = 256
COLUMNS = 8
Picture = npt.NDArray[np.uint8]
_SKINS = ("#ffe0bd", "#f1c27d", "#e0ac69", "#c68642", "#8d5524", "#5c3a21", "#ffd3b6", "#eab38a")
_HAIRS = ("#2c1b18", "#6a4e42", "#b55239", "#d6b370", "#111", "#8a8a8a", "#c93f5b", "#3f6fc9", "#5bc98f")


def browser() -> str | None:
    """The path of a Chromium, or ``None``."""
    return next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)


def _cells(page: str, count: int) -> list[Picture]:
    program = browser()
    assert program is not None
    rows = -(-count // COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "page.html", Path(folder) / "page.png"
        source.write_text(page, "utf-8")
        command = [
            program, "--headless", "--no-sandbox", "--hide-scrollbars", "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader", "--force-device-scale-factor=1", "--virtual-time-budget=20000",
            f"--user-data-dir={folder}/profile", f"--window-size={COLUMNS * CELL},{rows * CELL}",
            f"--screenshot={target}", source.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        sheet = np.asarray(Image.open(target).convert("RGB"))
    return [
        sheet[r * CELL : (r + 1) * CELL, c * CELL : (c + 1) * CELL]
        for r in range(rows)
        for c in range(COLUMNS)
        if r * COLUMNS + c < count
    ]


_STYLE = (
    f"<style>*{{margin:0}}body{{width:{CELL * COLUMNS}px;line-height:0;font-size:0}}"
    "svg,.h,canvas{display:inline-block}</style>"
)


def _svg(n: int, r: random.Random) -> str:
    skin, hair = r.choice(_SKINS), r.choice(_HAIRS)
    shaded, outlined = r.random() < 0.6, r.random() < 0.5
    line = f'stroke="#222" stroke-width="{r.uniform(1, 4):.1f}"' if outlined else ""
    w, h = r.uniform(62, 80), r.uniform(78, 96)
    eye_y, eye_x, eye = r.uniform(115, 135), r.uniform(25, 34), r.uniform(4, 20)
    iris = r.choice(("#3a2a1a", "#3d6fb4", "#4f8a4a", "#7a4fa0", "#222"))
    mouth = r.uniform(12, 32)
    my = r.uniform(172, 186)
    fill = f"url(#s{n})" if shaded else skin
    hair_fill = f"url(#h{n})" if shaded else hair
    eyes = "".join(
        f'<ellipse cx="{128 + s * eye_x:.1f}" cy="{eye_y:.1f}" rx="{eye:.1f}" ry="{eye * r.uniform(0.6, 1.3):.1f}" '
        f'fill="white" {line}/><circle cx="{128 + s * eye_x:.1f}" cy="{eye_y:.1f}" r="{eye * 0.55:.1f}" fill="{iris}"/>'
        f'<circle cx="{128 + s * eye_x:.1f}" cy="{eye_y:.1f}" r="{eye * 0.28:.1f}" fill="#000"/>'
        f'<circle cx="{128 + s * eye_x - eye * 0.2:.1f}" cy="{eye_y - eye * 0.25:.1f}" r="{eye * 0.17:.1f}" '
        'fill="#fff"/>'
        f'<path d="M{128 + s * eye_x - 18:.0f} {eye_y - eye - 10:.0f} q18 {r.uniform(-12, 2):.0f} 36 0" fill="none" '
        f'stroke="{hair}" stroke-width="{r.uniform(3, 8):.1f}" stroke-linecap="round"/>'
        for s in (-1, 1)
    )
    fringe = "".join(
        f'<path d="M{128 - w + k * w / 3:.0f} {128 - h * 0.75:.0f} q{w / 6:.0f} {r.uniform(20, 70):.0f} '
        f'{w / 3:.0f} 0 z" fill="{hair_fill}"/>'
        for k in range(6)
    )
    blur = f'filter="url(#b{n})"' if shaded else ""
    return f"""<svg width="{CELL}" height="{CELL}" viewBox="0 0 256 256">
<defs><radialGradient id="s{n}" cx="{r.uniform(0.3, 0.6):.2f}" cy="{r.uniform(0.2, 0.5):.2f}" r="0.8">
<stop offset="0" stop-color="#fff3e6"/><stop offset="0.35" stop-color="{skin}"/><stop offset="1" stop-color="#6b3f2a"/>
</radialGradient><linearGradient id="h{n}" x2="0.4" y2="1"><stop offset="0" stop-color="{hair}"/>
<stop offset="0.3" stop-color="#fff8" /><stop offset="0.5" stop-color="{hair}"/><stop offset="1" stop-color="#000"/>
</linearGradient><linearGradient id="g{n}" y2="1" x2="0"><stop stop-color="{r.choice(_HAIRS)}"/>
<stop offset="1" stop-color="{r.choice(_SKINS)}"/></linearGradient>
<filter id="b{n}"><feGaussianBlur stdDeviation="6"/></filter></defs>
<rect width="256" height="256" fill="url(#g{n})"/>
<ellipse cx="128" cy="{128 - h * 0.15:.0f}" rx="{w * 1.2:.0f}" ry="{h * 1.1:.0f}" fill="{hair_fill}" {line}/>
<path d="M98 190 h60 v40 q60 5 70 40 h-200 q10 -35 70 -40z" fill="{fill}"/>
<ellipse cx="128" cy="135" rx="{w:.0f}" ry="{h:.0f}" fill="{fill}" {line}/>
<ellipse cx="{128 - w * 0.5:.0f}" cy="160" rx="16" ry="10" fill="#e0606055" {blur}/>
<ellipse cx="{128 + w * 0.5:.0f}" cy="160" rx="16" ry="10" fill="#e0606055" {blur}/>
<ellipse cx="{128 + w * 0.6:.0f}" cy="150" rx="22" ry="70" fill="#0003" {blur}/>
{fringe}{eyes}
<path d="M124 {eye_y + 5:.0f} q-{r.uniform(4, 14):.0f} 28 8 30" fill="none" stroke="#0006" stroke-width="3"/>
<path d="M{128 - mouth:.0f} {my:.0f} q{mouth:.0f} {r.uniform(6, 26):.0f} {2 * mouth:.0f} 0 q{-mouth:.0f}
 {r.uniform(-6, 6):.0f} {-2 * mouth:.0f} 0z" fill="#b04a4a" {line}/></svg>"""


def svg_heads(count: int, seed: int = 11) -> list[Picture]:
    r = random.Random(seed)
    return _cells(_STYLE + "".join(_svg(k, r) for k in range(count)), count)


def css_heads(count: int, seed: int = 12) -> list[Picture]:
    """Boxes with rounded corners, gradients and shadows."""
    r = random.Random(seed)
    heads = []
    for _ in range(count):
        skin, hair, ground = r.choice(_SKINS), r.choice(_HAIRS), r.choice(_HAIRS)
        eye = r.uniform(10, 34)
        soft = r.uniform(0, 30)

        def box(x: float, y: float, w: float, h: float, style: str) -> str:
            place = f"position:absolute;left:{x:.0f}px;top:{y:.0f}px;width:{w:.0f}px;height:{h:.0f}px;"
            return f'<div style="{place}{style}"></div>'

        parts = [box(40, 20, 176, 190, f"background:{hair};border-radius:50% 50% 30% 30%")]
        light = f"radial-gradient(circle at {r.uniform(30, 60):.0f}% 30%,#fff6,{skin} 50%,#0004),{skin}"
        shadow = f"box-shadow:inset {r.uniform(-20, 20):.0f}px -10px {soft:.0f}px #0005"
        parts.append(box(55, 45, 146, 180, f"background:{light};border-radius:45% 45% 50% 50%;{shadow}"))
        for x in (128 - r.uniform(34, 42), 128 + r.uniform(34, 42)):
            parts.append(box(x - eye, 125 - eye * 0.7, 2 * eye, 1.4 * eye, "background:#fff;border-radius:50%"))
            iris = f"background:radial-gradient(#000 30%,{r.choice(_HAIRS)} 35%);border-radius:50%"
            parts.append(box(x - eye * 0.6, 125 - eye * 0.6, 1.2 * eye, 1.2 * eye, iris))
            parts.append(box(x - 22, 125 - eye - 14, 44, r.uniform(4, 10), f"background:{hair};border-radius:8px"))
        parts.append(box(118, 140, 20, 28, f"border-radius:50%;box-shadow:0 6px {soft / 3:.0f}px #0006"))
        mouth = r.uniform(20, 60)
        parts.append(
            box(128 - mouth / 2, 182, mouth, r.uniform(6, 24), "background:#a8404a;border-radius:4px 4px 40px 40px")
        )
        parts.append(box(50, 25, 156, r.uniform(40, 75), f"background:{hair};border-radius:60% 60% 40% 20%"))
        frame = f"position:relative;overflow:hidden;width:{CELL}px;height:{CELL}px;background:{ground}"
        heads.append(f'<div class="h" style="{frame}">{"".join(parts)}</div>')
    return _cells(_STYLE + "".join(heads), count)


def webgl_heads(count: int, seed: int = 13) -> list[Picture]:
    """Signed distance fields, ray-marched with shadows, ambient occlusion and highlights."""
    r = random.Random(seed)
    values = [[round(r.random(), 3) for _ in range(12)] for _ in range(count)]
    shader = (Path(__file__).parent / "realness_head.glsl").read_text("utf-8")
    script = f"""<body></body><script>
const g=document.createElement('canvas');g.width=g.height={CELL};
const x=g.getContext('webgl',{{preserveDrawingBuffer:true,antialias:false}});
function sh(t,s){{const o=x.createShader(t);x.shaderSource(o,s);x.compileShader(o);
 if(!x.getShaderParameter(o,x.COMPILE_STATUS))throw x.getShaderInfoLog(o);return o}}
const p=x.createProgram();
x.attachShader(p,sh(x.VERTEX_SHADER,'attribute vec2 a;void main(){{gl_Position=vec4(a,0,1);}}'));
x.attachShader(p,sh(x.FRAGMENT_SHADER,`{shader}`));x.linkProgram(p);x.useProgram(p);
x.bindBuffer(x.ARRAY_BUFFER,x.createBuffer());
x.bufferData(x.ARRAY_BUFFER,new Float32Array([-1,-1,1,-1,-1,1,1,1]),x.STATIC_DRAW);
const l=x.getAttribLocation(p,'a');x.enableVertexAttribArray(l);x.vertexAttribPointer(l,2,x.FLOAT,false,0,0);
for(const v of {values}){{x.uniform1fv(x.getUniformLocation(p,'s'),v);x.drawArrays(x.TRIANGLE_STRIP,0,4);
 const c=document.createElement('canvas');c.width=c.height={CELL};
 c.getContext('2d').drawImage(g,0,0);document.body.append(c)}}
</script>"""
    return _cells(_STYLE + script, count)
