-- Rows of the files that people edit which say nothing that can be used: left out of the run, and named here.
{%- set seeds = ['match_overrides', 'waivers', 'recurring_states', 'frequencies'] %}
{% for seed in seeds %}
    select
        {% if seed in ('match_overrides', 'waivers') -%} organization {%- else -%} cast(null as varchar) as organization {%- endif %},
        'seeds/{{ seed }}.csv' as file,
        line,
        problem,
        line_text
    from {{ ref('int_seeds__' ~ seed) }}
    where problem is not null
    {% if not loop.last -%} union all {%- endif %}
{% endfor %}
