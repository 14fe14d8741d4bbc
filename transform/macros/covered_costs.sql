{#- Whether a name or a code is that of a project that holds the costs which a donor paid on top. -#}
{% macro is_name_of_costs(expression) -%}
    {%- set names = [] -%}
    {%- for name in var('covered_cost_projects') -%}
        {%- do names.append("'" ~ ((name | string | lower).split() | join(' ') | replace("'", "''")) ~ "'") -%}
    {%- endfor -%}
    {%- if names -%}
        coalesce({{ fold_name(expression) }} in ({{ names | join(', ') }}), false)
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}


{#- Whether a JSON text may hold such a name: to see that most hold none takes a fraction of the time of parsing them. One
    with escapes may. -#}
{% macro may_name_costs(expression) -%}
    {%- set names = ['\\\\'] -%}
    {%- for name in var('covered_cost_projects') -%}
        {%- do names.append('\\Q' ~ ((name | string | replace("'", "''")).split() | join('\\E\\s+\\Q')) ~ '\\E') -%}
    {%- endfor -%}
    regexp_matches({{ expression }}, '(?i){{ names | join("|") }}')
{%- endmacro %}


{#- The ids of these projects of Raise, by organization. -#}
{% macro projects_of_costs(projects) -%}
    select
        organization,
        list(project_id) as project_ids
    from {{ projects }}
    where {{ is_name_of_costs('project_name') }} or {{ is_name_of_costs('code') }}
    group by organization
{%- endmacro %}


{#- Whether an allocation is of covered costs: by the name that it carries, or by its project. -#}
{% macro is_allocation_of_costs(allocation, project_ids) -%}
    {{ is_name_of_costs(allocation ~ ".name") }}
    or {{ is_name_of_costs(allocation ~ ".projectname") }}
    or coalesce(list_contains({{ project_ids }}, {{ integer_key(allocation ~ ".projectid") }}), false)
{%- endmacro %}
