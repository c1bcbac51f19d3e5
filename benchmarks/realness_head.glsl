// A head as a signed distance field, ray-marched: 3D for benchmarks/realness_heads.py. `s` holds its proportions.
precision highp float; uniform vec2 at; uniform float s[12];
float el(vec3 p, vec3 r){ float k=length(p/r); return k*(k-1.0)/length(p/(r*r)); }
float sm(float a,float b,float k){ float h=max(k-abs(a-b),0.0)/k; return min(a,b)-h*h*k*0.25; }
float mat; float head(vec3 p){
 float d=el(p,vec3(0.62+0.15*s[0],0.85,0.7)); d=sm(d,el(p-vec3(0,-0.5,0.18),vec3(0.35,0.35,0.4)),0.25);
 d=sm(d,el(p-vec3(0,-0.08,0.72),vec3(0.1,0.2+0.08*s[1],0.14)),0.12);
 d=sm(d,el(p-vec3(0,-0.18,0.78),vec3(0.13+0.05*s[2],0.09,0.1)),0.08);
 vec3 q=vec3(abs(p.x),p.yz); d=-sm(-d,el(q-vec3(0.27,0.1,0.74),vec3(0.16,0.1,0.14)),0.1);
 d=sm(d,el(q-vec3(0.66+0.12*s[0],-0.02,0.0),vec3(0.08,0.17,0.12)),0.05);
 d=sm(d,el(p-vec3(0,-0.4,0.66),vec3(0.2,0.035,0.08)),0.04); d=sm(d,el(p-vec3(0,-0.47,0.64),vec3(0.17,0.045,0.09)),0.04);
 d=sm(d,el(p-vec3(0,-1.2,-0.1),vec3(0.35,0.6,0.35)),0.2); return d; }
float scene(vec3 p){ vec3 q=vec3(abs(p.x),p.yz); float d=head(p); mat=0.0;
 if(length(p-vec3(0,-0.435,0.72))<0.22&&abs(p.y+0.435)<0.075) mat=3.0;
 float e=length(q-vec3(0.26,0.1,0.55))-(0.12+0.07*s[3]); if(e<d){d=e;mat=1.0;}
 float b=el(q-vec3(0.27,0.3+0.06*s[4],0.66),vec3(0.17,0.028,0.07)); if(b<d){d=b;mat=2.0;}
 float h=el(p-vec3(0,0.28,-0.16),vec3(0.74+0.15*s[0],0.82,0.74)); h=max(h,-(el(p-vec3(0.0,-0.25,0.75),vec3(0.62,0.75,0.6))));
 h+=0.012*sin(p.x*(20.0+40.0*s[5])+6.0*p.y); if(h<d){d=h;mat=2.0;} return d; }
vec3 nor(vec3 p){ vec2 e=vec2(0.002,0); return normalize(vec3(scene(p+e.xyy)-scene(p-e.xyy),scene(p+e.yxy)-scene(p-e.yxy),scene(p+e.yyx)-scene(p-e.yyx))); }
void main(){ vec2 u=(gl_FragCoord.xy-128.0)/128.0; float a=(s[6]-0.5)*0.9; vec3 o=vec3(3.4*sin(a),0.1,3.4*cos(a));
 vec3 f=normalize(vec3(0,-0.05,0)-o), r=normalize(cross(f,vec3(0,1,0))), v=cross(r,f); vec3 d=normalize(f*2.6+r*u.x+v*u.y);
 float t=1.5; float m=-1.0; for(int i=0;i<90;i++){ float k=scene(o+d*t); if(k<0.001){m=mat;break;} t+=k*0.8; if(t>7.0)break; }
 vec3 c=mix(vec3(0.2,0.3,0.45),vec3(0.8,0.75,0.7),s[7])*(0.7+0.3*u.y);
 if(m>-0.5){ vec3 p=o+d*t,n=nor(p); scene(p); m=mat; vec3 L=normalize(vec3(s[8]*2.0-1.0,0.8,1.2));
  vec3 al=mix(vec3(0.36,0.2,0.13),vec3(1.0,0.8,0.68),s[9]); float sp=0.15;
  if(m>0.5&&m<1.5){ vec3 q=vec3(abs(p.x),p.yz)-vec3(0.26,0.1,0.55); vec3 g=normalize(q); float z=g.z; al=z>0.97?vec3(0.02):z>0.88?vec3(0.1+0.4*s[10],0.3,0.6-0.4*s[10]):vec3(0.95); sp=0.9; }
  else if(m>2.5) al=vec3(0.75,0.3,0.3); else if(m>1.5){ al=vec3(0.08+0.7*s[11],0.06+0.45*s[11]*s[10],0.06+0.2*s[4]); sp=0.3; }
  float sh=1.0,k=0.05; for(int i=0;i<24;i++){ float h=scene(p+L*k+n*0.01); sh=min(sh,8.0*h/k); k+=clamp(h,0.03,0.2); if(k>2.5)break; } sh=clamp(sh,0.0,1.0);
  float ao=clamp(scene(p+n*0.12)/0.12,0.0,1.0); float df=max(dot(n,L),0.0)*sh; float wr=max(dot(n,L)*0.5+0.5,0.0);
  float rim=pow(1.0-max(dot(n,-d),0.0),3.0); c=al*(0.25*ao+0.75*df+0.15*wr*vec3(1.0,0.5,0.4))+sp*pow(max(dot(n,normalize(L-d)),0.0),40.0)+0.2*rim; }
 gl_FragColor=vec4(pow(c,vec3(0.4545)),1.0); }
